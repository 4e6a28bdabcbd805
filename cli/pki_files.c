/* SPDX-License-Identifier: Apache-2.0 */
/* Several new files, or none: what was written before one that fails is removed again. */
#include "pki.h"

#include "file.h"

#include <unistd.h>

bool pki_files_write(const struct pki_file *files, size_t n, struct trouble *trouble)
{
    for (size_t i = 0; i < n; i++) {
        if (file_exists(files[i].path))
            return trouble_set(trouble, "%s exists and is not overwritten", files[i].path);
    }
    for (size_t i = 0; i < n; i++) {
        if (file_write_new(files[i].path, files[i].b, files[i].len, trouble))
            continue;
        while (i > 0)
            unlink(files[--i].path);
        return false;
    }
    return true;
}
