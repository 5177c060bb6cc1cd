/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time line as a picture (SVG): a column for each line of releases, a panel
 * for each kind of call, and in each panel a staircase of the call's values. A
 * step inside a column is a point release that changed a number; it is marked
 * with a diamond.
 *
 * The picture is wider than high, for slides. It has no script and refers to
 * no other file. The same table gives the same bytes: a test compares the
 * picture in docs/. No state beside struct picture.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xm-ramdisk/interface/svg.h"
#include "tools/xm-ramdisk/interface/table.h"

#define WIDTH 1600.0
#define HEIGHT 1040.0
#define LEFT 84.0
#define RIGHT 24.0
#define TOP 104.0
#define GAP 14.0 /* between panels */
#define AXIS 58.0 /* release names and years */
#define FOOT 104.0
#define COLUMNS_MAX 128
#define STAIRS_MAX 128

#define INK "#1f2933"
#define FAINT "#66727f"
#define MARK "#d9480f"

struct column {
	const struct iface_release *first;
	unsigned releases;
};

struct picture {
	FILE *to;
	struct column column[COLUMNS_MAX];
	unsigned columns;
	double width; /* of a column */
};

struct panel {
	enum iface_call call;
	const char *title, *caption, *colour;
	double top, height;
	unsigned value[STAIRS_MAX]; /* ascending, each once */
	unsigned stairs;
};

/* 3.0.2, 3.0.3 and 3.0.4 are lines, as 4.1, 4.2 and 4.3 are. */
static bool same_column(const struct iface_release *a,
			const struct iface_release *b)
{
	return a->major == b->major && a->minor == b->minor &&
	       (a->major > 3 || a->minor > 0 || a->point == b->point);
}

static int find_columns(struct picture *p)
{
	const struct iface_release *r = iface_releases;
	const struct iface_release *end = r + iface_release_count;

	for (; r < end; r++) {
		if (p->columns &&
		    same_column(p->column[p->columns - 1].first, r)) {
			p->column[p->columns - 1].releases++;
			continue;
		}
		if (p->columns == COLUMNS_MAX)
			return -E2BIG;
		p->column[p->columns].first = r;
		p->column[p->columns++].releases = 1;
	}
	p->width = (WIDTH - LEFT - RIGHT) / p->columns;
	return 0;
}

static double column_x(const struct picture *p, unsigned i)
{
	return LEFT + i * p->width;
}

/* The left edge of release @k in column @i, which its releases share evenly. */
static double slot_x(const struct picture *p, unsigned i, unsigned k)
{
	return column_x(p, i) + k * p->width / p->column[i].releases;
}

static void draw_text(const struct picture *p, double x, double y, int size,
		      const char *anchor, const char *fill, const char *weight,
		      const char *words)
{
	const char *c;

	fprintf(p->to,
		"<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" "
		"text-anchor=\"%s\" fill=\"%s\" font-weight=\"%s\">",
		x, y, size, anchor, fill, weight);
	for (c = words; *c; c++)
		if (*c == '<' || *c == '&')
			fprintf(p->to, "&#%d;", *c);
		else
			fputc(*c, p->to);
	fputs("</text>\n", p->to);
}

static void draw_diamond(const struct picture *p, double x, double y)
{
	fprintf(p->to,
		"<path d=\"M%.1f %.1fl6 6l-6 6l-6-6z\" fill=\"" MARK
		"\" stroke=\"#fff\" stroke-width=\"1.2\"/>\n",
		x, y - 6);
}

static void open_picture(const struct picture *p)
{
	char words[160];

	fprintf(p->to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" "
		"viewBox=\"0 0 %.0f %.0f\" role=\"img\" font-family=\""
		"'DejaVu Sans',Verdana,Helvetica,sans-serif\">\n"
		"<title>Interface versions of Xen</title>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		WIDTH, HEIGHT);
	draw_text(p, LEFT, 52, 34, "start", INK, "bold",
		  "Which Xen fits which");
	snprintf(words, sizeof(words),
		 "Interface, domctl and sysctl versions of %zu releases, Xen %s "
		 "to %s",
		 iface_release_count, iface_releases[0].name,
		 iface_releases[iface_release_count - 1].name);
	draw_text(p, LEFT, 82, 18, "start", FAINT, "normal", words);
}

/* ---- columns, their names and the years ------------------------------------ */

static void shade_columns(const struct picture *p, double bottom)
{
	unsigned i;

	for (i = 0; i < p->columns; i += 2)
		fprintf(p->to,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\" fill=\"#f4f6f8\"/>\n",
			column_x(p, i), TOP, p->width, bottom - TOP);
}

static void name_columns(const struct picture *p, double y)
{
	const struct iface_release *r;
	char name[16];
	unsigned i;

	for (i = 0; i < p->columns; i++) {
		r = p->column[i].first;
		if (r->major == 3 && r->minor == 0)
			snprintf(name, sizeof(name), "%u.%u.%u", r->major % 100,
				 r->minor % 100, r->point % 1000);
		else
			snprintf(name, sizeof(name), "%u.%u", r->major % 100,
				 r->minor % 1000);
		draw_text(p, column_x(p, i) + p->width / 2, y, 15, "middle",
			  INK, "bold", name);
	}
}

static int year(const char *date)
{
	return atoi(date); /* "-" is 0 */
}

/* For releases without a date: the years of the changes that are in them. */
static void undated_years(const struct iface_release *last, char words[32])
{
	int from = 0, to = 0;
	size_t i;

	for (i = 0; i < iface_change_count; i++) {
		if (iface_changes[i].to > last->value[IFACE_GUEST])
			continue;
		if (!from)
			from = year(iface_changes[i].date);
		to = year(iface_changes[i].date);
	}
	snprintf(words, 32, "%d to %d", from, to);
}

/* The years of columns @i up to @end, which is the first of the next year. */
static void draw_year(const struct picture *p, unsigned i, unsigned end,
		      double y)
{
	int when = year(p->column[i].first->date);
	double x = column_x(p, i) + 1.5, w = (end - i) * p->width - 3;
	char words[32];

	if (when)
		snprintf(words, sizeof(words), "%d", when);
	else
		undated_years(p->column[end - 1].first, words);
	fprintf(p->to,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"22\" rx=\"4\" fill=\"#e4e9ee\"/>\n",
		x, y, w);
	draw_text(p, x + w / 2, y + 16, 13, "middle", FAINT, "normal", words);
}

static void draw_years(const struct picture *p, double y)
{
	unsigned i, end;

	for (i = 0; i < p->columns; i = end) {
		for (end = i + 1; end < p->columns; end++)
			if (year(p->column[end].first->date) !=
			    year(p->column[i].first->date))
				break;
		draw_year(p, i, end, y);
	}
}

/* ---- a staircase -------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static int find_stairs(struct panel *panel)
{
	unsigned value, n = 0, i;
	size_t r;

	for (r = 0; r < iface_release_count; r++) {
		value = iface_releases[r].value[panel->call];
		for (i = 0; i < n && panel->value[i] != value; i++)
			;
		if (!value || i < n)
			continue;
		if (n == STAIRS_MAX)
			return -E2BIG;
		panel->value[n++] = value;
	}
	qsort(panel->value, n, sizeof(panel->value[0]), by_number);
	panel->stairs = n;
	return n ? 0 : -ENODATA;
}

static double stair_y(const struct panel *panel, unsigned value)
{
	double step = (panel->height - 46) / panel->stairs;
	unsigned i = 0;

	while (i + 1 < panel->stairs && panel->value[i] != value)
		i++;
	return panel->top + panel->height - 24 - i * step;
}

/* Calls @each for every release that has a value; @before is the value before. */
static void each_value(const struct picture *p, const struct panel *panel,
		       void (*each)(const struct picture *p,
				    const struct panel *panel,
				    const struct iface_release *r, unsigned i,
				    unsigned k, unsigned before))
{
	unsigned i, k, before = 0, value;

	for (i = 0; i < p->columns; i++)
		for (k = 0; k < p->column[i].releases; k++) {
			value = p->column[i].first[k].value[panel->call];
			if (value)
				each(p, panel, p->column[i].first + k, i, k,
				     before);
			before = value;
		}
}

/* The part of the path that is release @k of column @i. */
static void draw_step(const struct picture *p, const struct panel *panel,
		      const struct iface_release *r, unsigned i, unsigned k,
		      unsigned before)
{
	double y = stair_y(panel, r->value[panel->call]);
	double x = slot_x(p, i, k);

	if (r->value[panel->call] != before)
		fprintf(p->to, before ? "H%.1fV%.1f" : "M%.1f %.1f", x, y);
	fprintf(p->to, "H%.1f", x + p->width / p->column[i].releases);
}

static void draw_dot(const struct picture *p, const struct panel *panel,
		     const struct iface_release *r, unsigned i, unsigned k,
		     unsigned before)
{
	(void)before;
	fprintf(p->to,
		"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.4\" "
		"fill=\"#fff\" stroke=\"%s\" stroke-width=\"1.4\">"
		"<title>%s</title></circle>\n",
		slot_x(p, i, k) + p->width / p->column[i].releases / 2,
		stair_y(panel, r->value[panel->call]), panel->colour, r->name);
}

/* The value is left of its step, where the panel is empty. */
static void draw_label(const struct picture *p, const struct panel *panel,
		       const struct iface_release *r, unsigned i, unsigned k,
		       unsigned before)
{
	double x = slot_x(p, i, k), y = stair_y(panel, r->value[panel->call]);
	char words[16];

	if (r->value[panel->call] == before)
		return;
	snprintf(words, sizeof(words),
		 panel->call == IFACE_GUEST ? "0x%08x" : "0x%x",
		 r->value[panel->call]);
	if (before)
		draw_text(p, x - (k ? 10 : 5), y + 3, 12, "end", panel->colour,
			  "bold", words);
	else
		draw_text(p, x + 3, y + 17, 12, "start", panel->colour, "bold",
			  words);
	if (!k || !before)
		return;
	draw_diamond(p, x, y);
	draw_text(p, x + 8, y + 16, 13, "start", MARK, "bold", r->name);
}

static void draw_panel(const struct picture *p, const struct panel *panel)
{
	double bottom = panel->top + panel->height;

	fprintf(p->to, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#c3ccd5\"/>\n",
		LEFT, bottom, WIDTH - RIGHT);
	fprintf(p->to, "<path d=\"");
	each_value(p, panel, draw_step);
	fprintf(p->to,
		"\" fill=\"none\" stroke=\"%s\" stroke-width=\"3.2\" "
		"stroke-linejoin=\"round\"/>\n",
		panel->colour);
	each_value(p, panel, draw_dot);
	each_value(p, panel, draw_label);
	draw_text(p, LEFT + 12, panel->top + 34, 24, "start", panel->colour,
		  "bold", panel->title);
	draw_text(p, LEFT + 12, panel->top + 58, 15, "start", FAINT, "normal",
		  panel->caption);
}

/* ---- legend ----------------------------------------------------------------------- */

/* The oldest change that a stable branch took from master. */
static const struct iface_change *oldest_backport(void)
{
	const struct iface_change *c, *oldest = NULL;
	size_t i;

	for (i = 0; i < iface_change_count; i++) {
		c = &iface_changes[i];
		if (c->master && (!oldest || c->to < oldest->to))
			oldest = c;
	}
	return oldest;
}

/* An example of two values that are not in the order of their changes. */
static void draw_not_ordered(const struct picture *p, double y)
{
	const struct iface_change *c = oldest_backport();
	const struct iface_release *r = iface_releases;
	const struct iface_release *end = r + iface_release_count;
	char words[256];

	while (c && r < end && r->value[IFACE_GUEST] <= c->to)
		r++;
	if (!c || r == end || r->value[IFACE_GUEST] >= c->master)
		return;
	snprintf(words, sizeof(words),
		 "Interface numbers are not ordered across stable branches: 0x%08x "
		 "(%s) has a change that the greater 0x%08x (%s) lacks.",
		 c->to, c->first_release, r->value[IFACE_GUEST], r->name);
	draw_text(p, LEFT + 310, y, 15, "start", INK, "normal", words);
}

static void draw_legend(const struct picture *p, double y)
{
	fprintf(p->to,
		"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#fff\" "
		"stroke=\"" FAINT "\" stroke-width=\"2\"/>\n",
		LEFT + 12, y - 5);
	draw_text(p, LEFT + 28, y, 15, "start", INK, "normal", "one release");
	draw_diamond(p, LEFT + 150, y - 5);
	draw_text(p, LEFT + 166, y, 15, "start", INK, "normal",
		  "a point release");
	draw_text(p, LEFT + 166, y + 20, 15, "start", INK, "normal",
		  "changed it");
	draw_not_ordered(p, y);
	draw_text(
		p, LEFT + 310, y + 24, 15, "start", INK, "normal",
		"The interface is a number of the source: older code works on. "
		"domctl and sysctl must be equal: otherwise each call fails "
		"with -EACCES.");
	draw_text(p, WIDTH - RIGHT, y + 52, 13, "end", FAINT, "normal",
		  "xm-ramdisk interface list --svg");
}

int iface_svg_write(FILE *to)
{
	struct panel panel[IFACE_CALLS] = {
		{ .call = IFACE_GUEST,
		  .title = "Public interface",
		  .caption = "__XEN_LATEST_INTERFACE_VERSION__ of the headers",
		  .colour = "#0b6e99" },
		{ .call = IFACE_DOMCTL,
		  .title = "domctl",
		  .caption = "what tools call to manage domains",
		  .colour = "#2e7d4f" },
		{ .call = IFACE_SYSCTL,
		  .title = "sysctl",
		  .caption = "what tools call to manage the host",
		  .colour = "#7048a8" },
	};
	double space = HEIGHT - TOP - AXIS - FOOT - 2 * GAP;
	double share[IFACE_CALLS] = { .36, .32, .32 }, top = TOP;
	struct picture p = { .to = to };
	int rc = find_columns(&p), i;

	for (i = 0; !rc && i < IFACE_CALLS; i++) {
		panel[i].top = top;
		panel[i].height = space * share[i];
		top += panel[i].height + GAP;
		rc = find_stairs(&panel[i]);
	}
	if (rc)
		return rc;
	open_picture(&p);
	shade_columns(&p, top - GAP);
	for (i = 0; i < IFACE_CALLS; i++)
		draw_panel(&p, &panel[i]);
	name_columns(&p, top + 10);
	draw_years(&p, top + 20);
	draw_legend(&p, top + AXIS + 22);
	fputs("</svg>\n", to);
	return fflush(to) || ferror(to) ? -EIO : 0;
}
