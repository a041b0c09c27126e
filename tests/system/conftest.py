# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the system tests."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import lab as lab_module  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "report_" + report.when, report)


@pytest.fixture
def lab(tmp_path, request):
    """Processes of one test; their logs are shown when it fails."""
    where = tmp_path if len(str(tmp_path)) < 70 else tmp_path
    it = lab_module.Lab(where)
    yield it
    report = getattr(request.node, "report_call", None)
    failed = report is not None and report.failed
    failures = it.close()
    if failed or failures:
        for path, text in it.logs():
            print(f"--- {path}\n{text}")
    assert not failures, failures
