/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors of the error table (quorate/error.h). A value outside the table is a bug of the
 * caller and ends in qrt_panic. */
#include "base/assert.h"

struct row {
    const char *name;
    const char *text;
    enum qrt_class class;
    uint8_t code;
};

static const struct row *row_of(enum qrt_err e)
{
#define ERROR_ROW(name, class, code, text) {#name, text, QRT_CLASS_##class, code},
    static const struct row rows[QRT_E_COUNT] = {QRT_ERRORS(ERROR_ROW)};
#undef ERROR_ROW

    qrt_assert((unsigned)e < QRT_E_COUNT);
    return &rows[e];
}

const char *qrt_err_text(enum qrt_err e)
{
    return row_of(e)->text;
}

const char *qrt_err_name(enum qrt_err e)
{
    return row_of(e)->name;
}

enum qrt_class qrt_err_class(enum qrt_err e)
{
    return row_of(e)->class;
}

uint8_t qrt_err_code(enum qrt_err e)
{
    return row_of(e)->code;
}

enum qrt_err qrt_err_of_code(uint8_t code)
{
    for (unsigned e = 0; code && e < QRT_E_COUNT; e++)
        if (qrt_err_code((enum qrt_err)e) == code)
            return (enum qrt_err)e;
    return QRT_OK;
}

bool qrt_err_is_final(enum qrt_err e)
{
    return row_of(e)->class >= QRT_CLASS_B0;
}
