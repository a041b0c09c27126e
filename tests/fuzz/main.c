/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of a fuzz target where there is no libFuzzer: runs every file of the given
 * directories once.  Without arguments it runs the target's own corpus, which is found by the
 * program's name ("fuzz_msg": corpus/msg) below $srcdir, as "make check" sets it.  An empty or
 * missing directory fails: a test that ran nothing has not passed.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1 << 20) /* octets; corpora are made of small files */

static int
run_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX), *exact;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (data == NULL || f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* A block of exactly this size, so that a sanitizer sees a read past the end. */
	exact = malloc(n == 0 ? 1 : n);
	if (exact == NULL)
		exit(1);
	memcpy(exact, data, n);
	free(data);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 1;
}

/* Number of files run; 0 is a failure. */
static int
run_directory(const char *dir)
{
	struct dirent *d;
	struct stat st;
	char path[4096];
	int count = 0;
	DIR *handle = opendir(dir);

	if (handle == NULL) {
		fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		return 0;
	}
	while ((d = readdir(handle)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		if (d->d_name[0] != '.' && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			count += run_file(path);
	}
	closedir(handle);
	printf("%s: %d files\n", dir, count);
	return count;
}

static int
run_own_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir"), *base = strrchr(program, '/'), *name;
	char dir[4096];

	base = base == NULL ? program : base + 1;
	name = strstr(base, "fuzz_");
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", srcdir == NULL ? "." : srcdir,
	    name == NULL ? base : name + strlen("fuzz_"));
	return run_directory(dir);
}

int
main(int argc, char **argv)
{
	struct stat st;
	int failed = 0, n;

	if (argc < 2)
		return run_own_corpus(argv[0]) == 0;
	for (int i = 1; i < argc; i++) {
		n = stat(argv[i], &st) == 0 && S_ISREG(st.st_mode) ? run_file(argv[i])
								   : run_directory(argv[i]);
		failed |= n == 0;
	}
	return failed;
}
