/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/tool.h"

int
main(int argc, char **argv)
{
	return tool_main(argc, argv);
}
