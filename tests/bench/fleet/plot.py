#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draws fleet.svg from measured.json and the model: python3 plot.py  (needs matplotlib)"""

import json
import os

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

import model  # noqa: E402

COLOURS = {"flat": "#b2442e", "two tiers": "#d99a2b", "three tiers": "#2d6a4f"}
HERE = os.path.dirname(os.path.abspath(__file__))


def measured_against_model(ax, rows):
    for r in rows:
        colour = {"chain": "#4a6fa5", "tree": COLOURS["three tiers"], "flat": COLOURS["flat"]}[r["shape"]]
        ax.errorbar(r["model"], r["last"], fmt="o", color=colour, ms=5, lw=1,
                    yerr=[[r["last"] - r["min"]], [r["max"] - r["last"]]],
                    xerr=[[r["model"] - r["model_min"]], [r["model_max"] - r["model"]]])
    low, high = 0.004, 10
    ax.plot([low, high], [low, high], color="#999999", lw=0.8)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), xlabel="model, s",
           ylabel="measured, s", title="60 agents on one machine: time until the last has it")
    for name, colour in (("chain of 3", "#4a6fa5"), ("tree 4+16+40", COLOURS["three tiers"]),
                         ("flat", COLOURS["flat"])):
        ax.plot([], [], "o", color=colour, label=name)
    ax.legend(frameon=False, loc="upper left")


def spread(ax, predictions, n, work, title):
    for p in predictions:
        if p["n"] != n or not p["work"].startswith(work):
            continue
        share = [100 * i / (len(p["curve"]) - 1) for i in range(len(p["curve"]))]
        ax.plot(p["curve"], share, color=COLOURS[p["shape"]], lw=1.6, ls="-" if p["splay"] == 0 else ":",
                label=f"{p['shape']}, splay {p['splay']} s")
    ax.set(xscale="log", xlabel="seconds after the root has it", ylabel="secondaries that have it, %",
           title=title, ylim=(0, 103))
    ax.legend(frameon=False, fontsize=8, ncol=3, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def main():
    with open(os.path.join(HERE, "measured.json")) as f:
        measured = json.load(f)
    costs = model.fit(measured)
    predictions = model.predict(costs)
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                         "svg.hashsalt": "fleet"})
    fig, axes = plt.subplots(1, 3, figsize=(15, 4.4))
    measured_against_model(axes[0], model.compare(measured, costs))
    spread(axes[1], predictions, 10000, "change", "10,000 secondaries (model): a change by IXFR")
    spread(axes[2], predictions, 10000, "NOTIFY", "10,000 secondaries (model): NOTIFY(AXFR), 41 MB")
    fig.tight_layout()
    fig.savefig(os.path.join(HERE, "fleet.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
