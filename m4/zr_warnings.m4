# ZR_WARNINGS: sets WARN_CFLAGS to the warnings this compiler knows.
# Called after every other check, because autoconf's own programs are not
# free of warnings.
AC_DEFUN([ZR_CHECK_CFLAG], [
	zr_saved_CFLAGS="$CFLAGS"
	CFLAGS="$CFLAGS -Werror $1"
	AC_MSG_CHECKING([whether $CC accepts $1])
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
	    [AC_MSG_RESULT([yes]); CFLAGS="$zr_saved_CFLAGS"; $2="$$2 $1"],
	    [AC_MSG_RESULT([no]); CFLAGS="$zr_saved_CFLAGS"])
])

AC_DEFUN([ZR_WARNINGS], [
	AC_ARG_ENABLE([werror],
	    [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
	    [], [enable_werror=no])
	WARN_CFLAGS=
	for zr_flag in -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef \
	    -Wold-style-definition -Wnested-externs -Wredundant-decls \
	    -Wimplicit-fallthrough -Wno-missing-field-initializers; do
		ZR_CHECK_CFLAG([$zr_flag], [WARN_CFLAGS])
	done
	AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
])

# ZR_HARDENING: stack protector, fortify, relro, where the compiler has them.
AC_DEFUN([ZR_HARDENING], [
	HARDEN_CFLAGS=
	for zr_flag in -fstack-protector-strong -fvisibility=hidden -fno-common; do
		ZR_CHECK_CFLAG([$zr_flag], [HARDEN_CFLAGS])
	done
	HARDEN_LDFLAGS=
	zr_saved_LDFLAGS="$LDFLAGS"
	LDFLAGS="$LDFLAGS -Wl,-z,relro -Wl,-z,now"
	AC_MSG_CHECKING([whether the linker accepts -z relro -z now])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
	    [AC_MSG_RESULT([yes]); HARDEN_LDFLAGS="-Wl,-z,relro -Wl,-z,now"],
	    [AC_MSG_RESULT([no])])
	LDFLAGS="$zr_saved_LDFLAGS"
	AC_SUBST([HARDEN_CFLAGS])
	AC_SUBST([HARDEN_LDFLAGS])
])
