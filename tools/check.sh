#!/bin/sh

# Copyright (C) The nginx gateway modules authors

# Runs every checker over the tree ("make check").  One line per checker, what
# it found below a line that says FAILED; exits with 1 if any did.
#
#     tools/check.sh [NAME ...]     only these checkers
#
# A tool that is not installed is a failure: tools/deps.sh installs them.

set -u

cd "$(dirname "$0")/.." || exit 1

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

only=" $* "
failed=0
passed=0


# check NAME "TOOLS IT NEEDS" COMMAND ...

check() {
    name=$1
    needs=$2
    shift 2

    case "$only" in
    "  " | *" $name "*) ;;
    *) return ;;
    esac

    for tool in $needs; do
        if ! command -v "$tool" > /dev/null; then
            echo "check: $name FAILED: \"$tool\" is not installed"
            failed=$((failed + 1))
            return
        fi
    done

    if "$@" > "$log" 2>&1; then
        echo "check: $name ok"
        passed=$((passed + 1))
    else
        echo "check: $name FAILED"
        sed 's/^/    /' "$log"
        failed=$((failed + 1))
    fi
}


# sources [TESTS OF FIND ...]: files of the tree

sources() {
    find . \( -path ./.git -o -path ./build \) -prune -o -type f "$@" -print \
    | sed 's,^\./,,' | sort
}


# scripts INTERPRETERS SUFFIX: those that end in it, or name such a program in
# their first line

scripts() {
    sources | while read -r file; do
        case "$file" in
        *.$2)
            echo "$file"
            ;;
        *)
            if head -n 1 "$file" | grep -qaE "^#! ?/.*[/ ]($1)( |\$)"; then
                echo "$file"
            fi
            ;;
        esac
    done
}


# SC2015: "test && test || die" is meant as it stands

run_shellcheck() {
    scripts 'sh|bash|dash' sh \
    | xargs -r shellcheck --external-sources --source-path=SCRIPTDIR \
          --exclude=SC2015
}


run_perl() {
    rc=0

    for file in $(scripts perl pl); do
        perl -c "$file" 2>&1 | grep -v 'syntax OK$' && rc=1
    done

    return $rc
}


run_python() {
    rc=0

    for file in $(scripts 'python3?' py); do
        python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' \
            "$file" || rc=1
    done

    return $rc
}


run_cppcheck() {
    set -- --quiet --error-exitcode=1 --std=c11 --inline-suppr \
        --enable=warning,style,performance,portability \
        --suppressions-list=tools/cppcheck.txt -I src

    # gw_scripts.h is generated, its literals concern nobody

    sources -name '*.c' ! -path './t/unit/*' ! -path './t/fuzz/*' \
    | xargs -r cppcheck "$@"
}


# some checkers need a configured nginx or the modules; what "make" made
# before is taken as it is

built() {
    if [ ! -e build/gen/gw_scripts.h ] \
       || [ -z "$(find build/modules -name '*.so' 2> /dev/null)" ]
    then
        "${MAKE:-make}" -s --no-print-directory build
    fi
}


run_headers() {
    built && tools/headers.sh
}


run_lua2h() {
    built || return 1

    if ! tools/lua2h.pl lua/*.lua | cmp -s - build/gen/gw_scripts.h; then
        echo "build/gen/gw_scripts.h is stale, run \"make\""
        return 1
    fi
}


run_symbols() {
    built && tools/symbols.sh build/modules/*.so
}


check style       perl               tools/style.pl
check layers      awk                tools/layers.sh
check docs        perl               tools/docs-check.pl
check headers     "${CC:-cc}"        run_headers
check symbols     nm                 run_symbols
check scripts     perl               run_lua2h
check perl        perl               run_perl
check python      python3            run_python
check cppcheck    cppcheck           run_cppcheck
check shellcheck  shellcheck         run_shellcheck
check checkers    "perl awk cc nm"   t/tools/checkers.sh

echo "check: $passed ok, $failed failed"

[ "$failed" -eq 0 ]
