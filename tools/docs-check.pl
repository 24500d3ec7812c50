#!/usr/bin/perl

# Copyright (C) The nginx gateway modules authors

# Compares the tables of the modules with their documentation, both ways:
#
#     tools/docs-check.pl [DIR]     DIR is the tree, the current one by default
#
# For docs/ngx_http_gw_NAME_module.md:
#
# * each directive of a table of commands has a heading "### gw_x", and the
#   other way round; the headings are in alphabetical order;
# * below it stand, in this order, the lines Syntax (which starts with the
#   name), Default, Context (what the flags of the command say) and Phase;
# * a table ngx_http_gw_auth_provider_commands, or ..._params, or another one
#   whose name has such a middle, holds what may stand in the block
#   gw_auth_provider: each of it has a heading "#### x" in the section of the
#   block, and the other way round, with Syntax and Default;
# * each "x=" that a setter knows is found somewhere on the page as "x=";
# * each variable has an entry "$gw_x" in the section "## ... variables": a
#   heading, the start of a list item, or of a row; a prefix is written
#   "$gw_x_NAME".
#
# Directives in examples (README.md, docs/*.md, conf/, bench/) must exist.

use strict;
use warnings;

my @context = (
    # flag, name; in the order of the documentation
    [ 'NGX_MAIN_CONF', 'main' ],
    [ 'NGX_HTTP_MAIN_CONF', 'http' ],
    [ 'NGX_HTTP_SRV_CONF', 'server' ],
    [ 'NGX_HTTP_SIF_CONF', 'if in server' ],
    [ 'NGX_HTTP_LOC_CONF', 'location' ],
    [ 'NGX_HTTP_LIF_CONF', 'if in location' ],
    [ 'NGX_HTTP_LMT_CONF', 'limit_except' ],
    [ 'NGX_HTTP_UPS_CONF', 'upstream' ],
);

my (@found, %known);


chdir($ARGV[0] // '.') or die "$ARGV[0]: $!\n";

my @modules = sort glob('ngx_http_gw_*_module.c');

@modules or push @found, 'no module found';

check_module($_) for @modules;
check_examples($_)
    for grep { -f } 'README.md', glob('docs/*.md'), glob('conf/*'),
                    glob('conf/*/*'), glob('bench/*.conf');

print map { "$_\n" } @found;

exit(@found ? 1 : 0);


sub slurp {
    my ($file) = @_;

    open(my $fh, '<', $file) or return undef;
    local $/;

    return scalar <$fh>;
}


sub check_module {
    my ($file) = @_;

    my ($name) = $file =~ /\Angx_http_gw_(\w+)_module\.c\z/;
    my $page = "docs/ngx_http_gw_${name}_module.md";
    my $text = slurp($page);

    my ($commands, $blocks, $vars, $params) = tables($name, $file);

    %known = (%known, %$commands);

    if (!defined $text) {
        push @found, "$page: missing";
        return;
    }

    check_directives($page, $text, $commands, $blocks);
    check_variables($page, $text, $vars);

    for my $param (sort keys %$params) {
        push @found, "$page: the parameter \"$param=\" is not documented"
            if $text !~ /(?<![\w-])\Q$param\E=/;
    }
}


# what the sources of a module define: directive -> context, block ->
# directive -> 1, variable -> 1, parameter -> 1

sub tables {
    my ($name, $file) = @_;

    my (%commands, %blocks, %vars, %params);

    for my $src ($file, sort glob("src/ngx_http_gw_${name}*.c")) {

        my $code = slurp($src);

        $code =~ s{/\*.*?\*/}{}gs;

        while ($code =~ /^static \s+ (?:const \s+)? (\w+) \s+ (\w+)\[\]
                         \s* = \s* \{ (.*?) ^\};/gmsx)
        {
            my ($type, $table, $body) = ($1, $2, $3);

            my ($block) =
                $table =~ /\Angx_http_(gw_\w+)_(?:commands|params)\z/;

            if (defined $block && $block ne "gw_$name") {
                $blocks{$block}{$1} = 1
                    while $body =~ /^\s*\{ \s* ngx_string\("([^"]+)"\)/gmx;

                next;
            }

            next if $type ne 'ngx_command_t';

            while ($body =~ /\{ \s* ngx_string\("([^"]+)"\), \s*
                             ([A-Z0-9_|\s]+),/gx)
            {
                my ($directive, $flags) = ($1, $2);
                my %flag = map { $_ => 1 } $flags =~ /\w+/g;

                $commands{$directive} =
                    join(', ', map { $flag{$_->[0]} ? $_->[1] : () } @context);
            }
        }

        while ($code =~ /^static \s+ ngx_http_variable_t \s+ \w+\[\] \s* =
                         \s* \{ (.*?) ^\};/gmsx)
        {
            my $body = $1;

            $vars{$1} = 1 while $body =~ /ngx_string\("([^"]+)"\)/g;
        }

        $params{$1} = 1 while $code =~ /"([a-z][a-z_]*)=[a-z]*"/g;
    }

    push @found, "$file: no table of commands found" if !%commands;

    return (\%commands, \%blocks, \%vars, \%params);
}


sub check_directives {
    my ($page, $text, $commands, $blocks) = @_;

    my (%seen, $last);
    my (undef, @parts) = split /^### (?=gw_)/m, $text;

    for my $part (@parts) {

        $part =~ s/^##? .*//ms;

        my ($name, $body) = $part =~ /\A(\S+)[^\n]*\n(.*)\z/s;

        push @found, "$page: $name is documented twice" if $seen{$name}++;

        push @found, "$page: $name stands after $last"
            if defined $last && $name lt $last;

        $last = $name;

        if (!exists $commands->{$name}) {
            push @found, "$page: there is no directive $name";
            next;
        }

        my (undef, %inner) = split /^#### +`?(\w+)`?[^\n]*\n/m, $body;
        my ($own) = split /^#### /m, $body;

        my %field = fields($page, $name, $own,
                           qw(Syntax Default Context Phase));

        push @found, "$page: context of $name is \"$commands->{$name}\", "
                     . "not \"$field{Context}\""
            if defined $field{Context}
            && $field{Context} ne $commands->{$name};

        check_block($page, $name, $blocks->{$name} // {}, \%inner);
    }

    push @found, map { "$page: $_ is not documented" }
                 grep { !$seen{$_} } sort keys %$commands;

    push @found, map { "$page: a table for $_, which is no directive" }
                 grep { !exists $commands->{$_} } sort keys %$blocks;
}


sub check_block {
    my ($page, $block, $table, $inner) = @_;

    for my $name (sort keys %$inner) {

        if (!$table->{$name}) {
            push @found, "$page: $block has no \"$name\"";
            next;
        }

        fields($page, $name, $inner->{$name}, qw(Syntax Default));
    }

    push @found, map { "$page: \"$_\" of $block is not documented" }
                 grep { !exists $inner->{$_} } sort keys %$table;
}


sub fields {
    my ($page, $name, $body, @names) = @_;

    my %field;
    my $at = -1;

    for my $f (@names) {

        if ($body !~ /^[ ]*\**$f:\**[ ]+(\S.*?)[ ]*\\?$/m) {
            push @found, "$page: $name has no $f";
            next;
        }

        $field{$f} = $1 =~ s/\A`+|`+\z//gr;

        push @found, "$page: $f of $name is out of order" if $-[0] < $at;
        $at = $-[0];
    }

    push @found, "$page: Syntax of $name is that of another directive"
        if defined $field{Syntax} && $field{Syntax} !~ /\A\Q$name\E(?![\w-])/;

    return %field;
}


sub check_variables {
    my ($page, $text, $vars) = @_;

    my %seen;
    my ($section) =
        $text =~ /^\#\#[ ][^\n]*variables[^\n]*\n (.*?)
                  (?=^\#\#[ ]|\z)/imsx;

    if (defined $section) {
        $seen{$1 =~ s/_NAME\z/_/r} = 1
            while $section =~ /^(?:#+|[*-]|\|)?[ ]*`?\$(gw_\w+)/gm;
    }

    push @found, map { "$page: \$$_ is not documented" }
                 grep { !$seen{$_} } sort keys %$vars;

    push @found, map { "$page: there is no variable \$$_" }
                 grep { !$vars->{$_} } sort keys %seen;
}


sub check_examples {
    my ($file) = @_;

    my $text = slurp($file);

    if ($file =~ /\.md\z/) {
        $text = join("\n", $text =~ /^```nginx\n(.*?)^```/gms);
    }

    while ($text =~ /^\s*(?:[^#\n]*[;{]\s*)?(gw_\w+)\s/gm) {
        push @found, "$file: there is no directive $1" if !exists $known{$1};
    }
}
