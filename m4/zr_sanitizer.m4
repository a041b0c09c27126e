# ZR_SANITIZER: --with-sanitizer=address,undefined and the like.
AC_DEFUN([ZR_SANITIZER], [
	AC_ARG_WITH([sanitizer],
	    [AS_HELP_STRING([--with-sanitizer=LIST],
		[build with -fsanitize=LIST, for example address,undefined or thread])],
	    [], [with_sanitizer=no])
	SAN_CFLAGS=
	AS_IF([test "x$with_sanitizer" != xno], [
		AS_IF([test "x$with_sanitizer" = xyes], [with_sanitizer=address,undefined])
		SAN_CFLAGS="-fsanitize=$with_sanitizer -fno-omit-frame-pointer -fno-sanitize-recover=all"
		zr_saved_CFLAGS="$CFLAGS"
		CFLAGS="$CFLAGS $SAN_CFLAGS"
		AC_MSG_CHECKING([whether $CC builds with $SAN_CFLAGS])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
		    [AC_MSG_RESULT([no])
		     AC_MSG_ERROR([the compiler cannot build with --with-sanitizer=$with_sanitizer])])
		CFLAGS="$zr_saved_CFLAGS"
	])
	AC_SUBST([SAN_CFLAGS])
	AM_CONDITIONAL([SANITIZED], [test "x$with_sanitizer" != xno])
])
