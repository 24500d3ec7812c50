#!/bin/sh

# Copyright (C) The nginx gateway modules authors

# The three modules carry copies of the same sources, and nginx loads them
# with RTLD_GLOBAL: a module may define no dynamic symbol but nginx's own
# table of modules and its module.
#
#     tools/symbols.sh MODULE.so ...

set -eu

failed=0

for so in "$@"; do

    module=${so##*/}
    module=${module%.so}

    names=$(nm -D --defined-only "$so" | awk '{ print $NF }')

    for name in $names; do
        case "$name" in
        ngx_modules | ngx_module_names | ngx_module_order | "$module")
            ;;
        *)
            echo "$so: exports \"$name\""
            failed=1
            ;;
        esac
    done

    for name in ngx_modules ngx_module_names "$module"; do
        if ! printf '%s\n' "$names" | grep -qx "$name"; then
            echo "$so: does not export \"$name\""
            failed=1
        fi
    done
done

exit $failed
