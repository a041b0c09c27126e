# ZR_FUZZ: --enable-fuzz links the fuzz targets with libFuzzer (clang).
# Without it the same targets are built with a small main() that runs a
# corpus, and "make check" runs them.
AC_DEFUN([ZR_FUZZ], [
	AC_ARG_ENABLE([fuzz],
	    [AS_HELP_STRING([--enable-fuzz], [build the fuzz targets with libFuzzer (needs clang)])],
	    [], [enable_fuzz=no])
	FUZZ_CFLAGS=
	FUZZ_LDFLAGS=
	AS_IF([test "x$enable_fuzz" = xyes], [
		FUZZ_CFLAGS="-fsanitize=fuzzer-no-link"
		FUZZ_LDFLAGS="-fsanitize=fuzzer"
		zr_saved_CFLAGS="$CFLAGS"
		CFLAGS="$CFLAGS $FUZZ_CFLAGS"
		AC_MSG_CHECKING([whether $CC knows libFuzzer])
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
		    [AC_MSG_RESULT([no])
		     AC_MSG_ERROR([--enable-fuzz needs a compiler with libFuzzer: ./configure CC=clang])])
		CFLAGS="$zr_saved_CFLAGS"
	])
	AC_SUBST([FUZZ_CFLAGS])
	AC_SUBST([FUZZ_LDFLAGS])
	AM_CONDITIONAL([FUZZ], [test "x$enable_fuzz" = xyes])
])
