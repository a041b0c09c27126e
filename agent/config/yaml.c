/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libyaml's events to nodes, with a stack of our own: the depth of a file never becomes
 * the depth of our calls.  What could be read before a fault is not used after a syntax
 * error, because libyaml cannot go on and follow-up messages would be noise.
 */
#include "config/node.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct frame {
	struct node *node;
	struct node **tail;
	const char *key; /* NULL: a map waits for its next key */
	uint32_t key_line, key_col;
};

struct builder {
	struct pool *arena;
	struct faults *faults;
	const char *file;
	const uint8_t *data;
	size_t len;
	struct node *root;
	struct frame stack[NODE_DEPTH_MAX];
	unsigned depth;
	unsigned documents;
	size_t nodes;
	bool stop;
};

static struct place
place(const struct builder *b, const yaml_mark_t *m)
{
	return (struct place){b->file, (uint32_t)m->line + 1, (uint32_t)m->column + 1};
}

/* libyaml's reader gives an octet offset only. */
static struct place
place_of_offset(const struct builder *b, size_t offset)
{
	struct place at = {b->file, 1, 1};

	for (size_t i = 0; i < offset && i < b->len; i++) {
		if (b->data[i] == '\n') {
			at.line++;
			at.col = 1;
		} else if ((b->data[i] & 0xc0) != 0x80) {
			at.col++;
		}
	}
	return at;
}

static void
syntax_fault(struct builder *b, const yaml_parser_t *p)
{
	const char *problem = p->problem != NULL	      ? p->problem
			      : p->error == YAML_MEMORY_ERROR ? "out of memory"
							      : "not YAML";
	struct place at;

	if (p->error == YAML_READER_ERROR) {
		at = place_of_offset(b, p->problem_offset);
		fault_error(b->faults, at, "%s: the file must be UTF-8 text", problem);
		return;
	}
	at = place(b, &p->problem_mark);
	if (p->problem_mark.index < b->len && b->data[p->problem_mark.index] == '\t')
		fault_error(b->faults, at, "%s (it is a tab: indent with blanks)", problem);
	else if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
		fault_error(b->faults, at, "%s %s which begins at line %zu", problem, p->context,
		    p->context_mark.line + 1);
	else if (p->context != NULL)
		fault_error(b->faults, at, "%s %s", problem, p->context);
	else
		fault_error(b->faults, at, "%s", problem);
}

static void
fatal(struct builder *b, const yaml_event_t *ev, const char *text)
{
	fault_error(b->faults, place(b, &ev->start_mark), "%s", text);
	b->stop = true;
}

/* Puts a node into the open map or list; NULL when the file is refused. */
static struct node *
place_node(struct builder *b, const yaml_event_t *ev, enum node_kind kind)
{
	struct frame *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
	struct node *n;

	if (++b->nodes > NODE_COUNT_MAX) {
		fatal(b, ev, "more than 8000000 values: use zone-lists");
		return NULL;
	}
	n = pool_alloc(b->arena, sizeof(*n));
	n->kind = kind;
	n->line = (uint32_t)ev->start_mark.line + 1;
	n->col = (uint32_t)ev->start_mark.column + 1;
	if (top == NULL) {
		b->root = n;
		return n;
	}
	n->key = top->key;
	n->key_line = top->key_line;
	n->key_col = top->key_col;
	top->key = NULL;
	top->node->count++;
	*top->tail = n;
	top->tail = &n->next;
	return n;
}

static bool
wants_key(const struct builder *b)
{
	const struct frame *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;

	return top != NULL && top->node->kind == NODE_MAP && top->key == NULL;
}

/* "tag:yaml.org,2002:int" was written as "!!int". */
static const char *
show_tag(const char *tag, char out[SHOW_MAX])
{
	static const char prefix[] = "tag:yaml.org,2002:";
	char text[SHOW_MAX];

	if (strncmp(tag, prefix, sizeof(prefix) - 1) != 0)
		return fault_show(tag, out);
	snprintf(text, sizeof(text), "!!%s", tag + sizeof(prefix) - 1);
	return fault_show(text, out);
}

static void
refuse_marks(
    struct builder *b, const yaml_event_t *ev, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct place at = place(b, &ev->start_mark);
	char show[SHOW_MAX];

	if (anchor != NULL)
		fault_error(b->faults, at, "anchors are not supported: leave out %s",
		    fault_show((const char *)anchor, show));
	if (tag != NULL)
		fault_error(b->faults, at, "tags are not supported: leave out %s",
		    show_tag((const char *)tag, show));
}

static void
on_open(struct builder *b, const yaml_event_t *ev, enum node_kind kind)
{
	struct node *n;

	if (wants_key(b)) {
		fatal(b, ev, "a key must be a word, not a list or a map");
		return;
	}
	if (b->depth == NODE_DEPTH_MAX) {
		fatal(b, ev, "nested deeper than 8 levels");
		return;
	}
	n = place_node(b, ev, kind);
	if (n != NULL)
		b->stack[b->depth++] = (struct frame){.node = n, .tail = &n->first};
}

static void
on_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	bool whole = len <= NODE_TEXT_MAX && memchr(text, '\0', len) == NULL;
	struct node *n;

	refuse_marks(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (!whole)
		fault_error(b->faults, place(b, &ev->start_mark),
		    len > NODE_TEXT_MAX ? "more than 4096 octets in one value" : "a NUL character");
	if (wants_key(b)) {
		struct frame *top = &b->stack[b->depth - 1];

		b->stop = !whole;
		top->key = pool_bytes(b->arena, whole ? text : "", whole ? len + 1 : 1);
		top->key_line = (uint32_t)ev->start_mark.line + 1;
		top->key_col = (uint32_t)ev->start_mark.column + 1;
		return;
	}
	n = place_node(b, ev, whole ? NODE_SCALAR : NODE_BAD);
	if (n == NULL || !whole)
		return;
	n->text = pool_bytes(b->arena, text, len + 1);
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void
on_alias(struct builder *b, const yaml_event_t *ev)
{
	char show[SHOW_MAX];

	fault_error(b->faults, place(b, &ev->start_mark),
	    "aliases are not supported: write out what %s stands for",
	    fault_show((const char *)ev->data.alias.anchor, show));
	if (wants_key(b))
		b->stop = true;
	else
		(void)place_node(b, ev, NODE_BAD);
}

/* False: the end, or no sense in going on. */
static bool
on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ != 0)
			fatal(b, ev, "a second document begins here: only one is read");
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_marks(b, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
		on_open(b, ev, NODE_MAP);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_marks(b, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
		on_open(b, ev, NODE_LIST);
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		assert(b->depth > 0); /* libyaml ends only what it has begun */
		b->depth--;
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, ev);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b, ev);
		break;
	case YAML_STREAM_END_EVENT:
		return false;
	default:
		break;
	}
	return !b->stop;
}

static struct node *
empty_map(struct pool *a)
{
	struct node *n = pool_alloc(a, sizeof(*n));

	n->kind = NODE_MAP;
	n->line = n->col = 1;
	return n;
}

/* There may be secrets in the file: what libyaml has of it is not left in memory. */
static void
wipe_event(yaml_event_t *ev)
{
	if (ev->type == YAML_SCALAR_EVENT)
		explicit_bzero(ev->data.scalar.value, ev->data.scalar.length);
}

static void
wipe_parser(yaml_parser_t *p)
{
	explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
}

struct node *
yaml_read(struct pool *a, struct faults *f, const char *file, const void *data, size_t len)
{
	struct builder b = {.arena = a, .faults = f, .file = file, .data = data, .len = len};
	yaml_parser_t parser;
	yaml_event_t ev;
	bool more = true;

	if (!yaml_parser_initialize(&parser)) {
		fault_error(f, (struct place){file, 0, 0}, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, data, len);
	while (more) {
		if (!yaml_parser_parse(&parser, &ev)) {
			syntax_fault(&b, &parser);
			b.stop = true;
			break;
		}
		more = on_event(&b, &ev);
		wipe_event(&ev);
		yaml_event_delete(&ev);
	}
	wipe_parser(&parser);
	yaml_parser_delete(&parser);
	if (b.stop)
		return NULL;
	return b.root != NULL && !node_empty(b.root) ? b.root : empty_map(a);
}
