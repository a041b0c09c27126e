/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a context.  All are read when it is made, CAs as well: a handshake opens no file,
 * which would block a loop, and be forbidden in the cage.
 */
#include "net/tls_load.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (4 * 1024 * 1024) /* octets; the CAs of the whole web are 250 KB */

struct file {
	uint8_t *data;
	size_t len;
};

/* ---- what it is made from ---- */

void
tls_load_begin(struct tls_load *l, bool server)
{
	l->digest = EVP_MD_CTX_new();
	if (l->digest != NULL)
		(void)EVP_DigestInit_ex(l->digest, EVP_sha256(), NULL);
	tls_load_flag(l, server);
}

void
tls_load_octets(struct tls_load *l, const void *p, size_t n)
{
	uint64_t len = n;

	if (l->digest == NULL)
		return;
	(void)EVP_DigestUpdate(l->digest, &len, sizeof(len)); /* else ab+c would be a+bc */
	(void)EVP_DigestUpdate(l->digest, p, n);
}

void
tls_load_text(struct tls_load *l, const char *text)
{
	tls_load_octets(l, text, strlen(text));
}

void
tls_load_flag(struct tls_load *l, bool value)
{
	tls_load_octets(l, "x", value);
}

void
tls_load_end(struct tls_load *l, struct tls_ctx *t)
{
	if (l->digest != NULL)
		(void)EVP_DigestFinal_ex(l->digest, t->made_from, NULL);
	EVP_MD_CTX_free(l->digest);
	l->digest = NULL;
}

const char *
tls_load_reason(const char *otherwise)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text != NULL ? text : otherwise;
}

/* ---- files ---- */

static void
file_clear(struct file *f)
{
	if (f->data != NULL)
		OPENSSL_cleanse(f->data, f->len);
	free(f->data);
	*f = (struct file){0};
}

static int
read_all(int fd, struct file *f, size_t size)
{
	ssize_t got;

	f->data = zr_try_alloc(size + 1);
	if (f->data == NULL) {
		errno = ENOMEM;
		return -1;
	}
	do {
		got = read(fd, f->data + f->len, size - f->len);
		f->len += got > 0 ? (size_t)got : 0;
	} while ((got > 0 && f->len < size) || (got < 0 && errno == EINTR));
	return got < 0 ? -1 : 0;
}

/* `what` is the key of the configuration that names the file. */
static int
file_read(struct file *f, const char *what, const char *path, bool secret, struct zr_err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 0;
	struct stat st;

	*f = (struct file){0};
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = zr_fail(
		    e, ZR_CONF, "%s: %.120s cannot be read: %s", what, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		rc = zr_fail(e, ZR_CONF, "%s: %.120s is not a file", what, path);
	else if (secret && (st.st_mode & S_IRWXO) != 0)
		rc = zr_fail(e, ZR_CONF,
		    "%s: %.120s is open to everybody (mode %03o): chmod o= is needed, and if "
		    "others have seen it, a new key",
		    what, path, (unsigned)(st.st_mode & 0777));
	else if (st.st_size > FILE_MAX)
		rc =
		    zr_fail(e, ZR_CONF, "%s: %.120s has more than %d octets", what, path, FILE_MAX);
	else if (read_all(fd, f, (size_t)st.st_size) != 0)
		rc = zr_fail(
		    e, ZR_CONF, "%s: %.120s cannot be read: %s", what, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		file_clear(f);
	return rc;
}

/* The certificates of a file; NULL: there is none, or one that cannot be read. */
static struct stack_st_X509 *
certificates(const struct file *f)
{
	BIO *bio = BIO_new_mem_buf(f->data, (int)f->len);
	struct stack_st_X509 *all = sk_X509_new_null();
	X509 *x;

	ERR_clear_error();
	while (bio != NULL && all != NULL && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(all, x) <= 0) {
			X509_free(x);
			break;
		}
	BIO_free(bio);
	/* The end of the file looks like this. */
	if (sk_X509_num(all) > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		return all;
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

static struct stack_st_X509 *
read_certificates(struct tls_load *l, const char *what, const char *path, struct zr_err *e)
{
	struct stack_st_X509 *all;
	struct file f;

	if (file_read(&f, what, path, false, e) != 0)
		return NULL;
	tls_load_octets(l, f.data, f.len);
	all = certificates(&f);
	if (all == NULL)
		(void)zr_fail(e, ZR_CONF,
		    "%s: %.120s holds no certificates in PEM form (%s): \"-----BEGIN "
		    "CERTIFICATE-----\" is how each begins",
		    what, path, tls_load_reason("none was found"));
	file_clear(&f);
	return all;
}

/* ---- our certificate ---- */

static int
use_chain(struct tls_ctx *t, const char *path, struct stack_st_X509 *all, struct zr_err *e)
{
	t->not_after = x509_not_after(sk_X509_value(all, 0));
	x509_text(sk_X509_value(all, 0), t->text);
	if (SSL_CTX_use_certificate(t->ssl, sk_X509_value(all, 0)) != 1)
		goto bad;
	for (int i = 1; i < sk_X509_num(all); i++) {
		struct zr_wall end = x509_not_after(sk_X509_value(all, i));

		if (SSL_CTX_add1_chain_cert(t->ssl, sk_X509_value(all, i)) != 1)
			goto bad;
		if (end.us < t->not_after.us)
			t->not_after = end;
	}
	return 0;
bad:
	return zr_fail(e, ZR_CONF, "cert: %.120s cannot be used: %s", path,
	    tls_load_reason("OpenSSL does not say why"));
}

/* Nobody is there to be asked. */
static int
on_passphrase(char *out, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)out;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

static int
use_key(struct tls_ctx *t, const struct file *f, const char *path, const char *cert_path,
    struct zr_err *e)
{
	BIO *bio = BIO_new_mem_buf(f->data, (int)f->len);
	bool asked = false, ok;
	EVP_PKEY *key;

	ERR_clear_error();
	key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked) : NULL;
	BIO_free(bio);
	if (key == NULL && asked)
		return zr_fail(e, ZR_CONF,
		    "key: %.120s has a passphrase, and nobody is there to be asked for it: write "
		    "it without one (openssl pkey -in FILE -out NEW), closed to others",
		    path);
	if (key == NULL)
		return zr_fail(e, ZR_CONF, "key: %.120s holds no private key in PEM form (%s)",
		    path, tls_load_reason("none was found"));
	ok = SSL_CTX_use_PrivateKey(t->ssl, key) == 1 && SSL_CTX_check_private_key(t->ssl) == 1;
	EVP_PKEY_free(key);
	return ok ? 0
		  : zr_fail(e, ZR_CONF, "key: %.100s does not belong to the certificate in %.100s",
			path, cert_path);
}

int
tls_load_own(struct tls_load *l, struct tls_ctx *t, const char *cert_file, const char *key_file,
    struct zr_err *e)
{
	struct stack_st_X509 *all = read_certificates(l, "cert", cert_file, e);
	struct file key = {0};
	int rc = -1;

	if (all != NULL && use_chain(t, cert_file, all, e) == 0 &&
	    file_read(&key, "key", key_file, true, e) == 0)
		rc = use_key(t, &key, key_file, cert_file, e);
	file_clear(&key);
	sk_X509_pop_free(all, X509_free);
	return rc;
}

/* ---- CAs ---- */

int
tls_load_ca(struct tls_load *l, struct tls_ctx *t, const char *file, struct zr_err *e)
{
	struct stack_st_X509 *all = read_certificates(l, "ca", file, e);
	X509_STORE *store = SSL_CTX_get_cert_store(t->ssl);
	bool ok = all != NULL;

	for (int i = 0; ok && i < sk_X509_num(all); i++)
		ok = X509_STORE_add_cert(store, sk_X509_value(all, i)) == 1;
	if (all != NULL && !ok)
		(void)zr_fail(e, ZR_CONF, "ca: %.120s cannot be used: %s", file,
		    tls_load_reason("OpenSSL does not say why"));
	sk_X509_pop_free(all, X509_free);
	/* Also one that another CA has issued: it was named, so it is trusted. */
	(void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(t->ssl), X509_V_FLAG_PARTIAL_CHAIN);
	t->has_ca = ok;
	return ok ? 0 : -1;
}

/* Not SSL_CTX_set_default_verify_paths(): it would look into a directory at each handshake. */
int
tls_load_system_ca(struct tls_load *l, struct tls_ctx *t, struct zr_err *e)
{
	const char *paths[] = {
	    getenv(X509_get_default_cert_file_env()),
	    X509_get_default_cert_file(),
	    "/etc/ssl/certs/ca-certificates.crt",
	    "/etc/pki/tls/certs/ca-bundle.crt",
	    "/etc/ssl/cert.pem",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (paths[i] != NULL && access(paths[i], R_OK) == 0)
			return tls_load_ca(l, t, paths[i], e);
	return zr_fail(e, ZR_CONF,
	    "ca: the system has no file of CA certificates, such as "
	    "/etc/ssl/certs/ca-certificates.crt: install one (Debian: ca-certificates), or name "
	    "the file of your CA");
}
