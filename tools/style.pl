#!/usr/bin/perl

# Copyright (C) The nginx gateway modules authors

# Checks the surface of the sources and texts:
#
#     tools/style.pl [FILE ...]         the whole tree without arguments
#     tools/style.pl --self-test FILE   snippets that each rule has to find
#
# Prints "file:line: rule: what is wrong" and exits with 1 if there is
# anything to say.  Rules go by the name of the file: src/ and the modules
# are held to all of them, tests and tools to those of form, other texts to
# "path", "registry" and white space.  Everything after __DATA__ in a test is
# data and only a text.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Find qw(find);


my $copyright = 'Copyright (C) The nginx gateway modules authors';

my %rules = (
    'blank'        => 'tabs, blanks at the end of a line or file',
    'brace'        => 'the brace of a function stands alone in column 1',
    'columns'      => '80 columns',
    'comment'      => 'no // comments in C',
    'copyright'    => 'a copyright line in the first lines',
    'file-length'  => 'modules 1200 lines, src/*.c 600, headers 150',
    'forbidden'    => 'calls that block, or that have no bound',
    'func-length'  => 'functions have at most 100 lines',
    'func-name'    => 'type and name of a function on lines of their own, '
                      . 'the name starts with the prefix of its layer',
    'guard'        => '_FILE_H_INCLUDED_',
    'keyword'      => 'a blank between a keyword and its parenthesis',
    'mutable'      => 'no mutable static storage in src',
    'nesting'      => 'at most 4 blocks inside each other',
    'path'         => 'no absolute paths of a machine',
    'proto-order'  => 'static prototypes: all, in the order of definitions',
    'registry'     => 'no host names of package registries',
    'secret'       => 'secrets are compared by CRYPTO_memcmp()',
    'todo'         => 'no notes of unfinished work',
    'two-lines'    => 'two empty lines between top-level definitions',
);

my %forbidden = map { $_ => 1 } qw(
    alloca freeaddrinfo getaddrinfo gethostbyaddr gethostbyname getservbyname
    getnameinfo gets gmtime localtime nanosleep ngx_msleep ngx_sleep poll
    rd_kafka_flush redisAppendCommand redisCommand redisCommandArgv
    redisConnect redisConnectWithTimeout redisGetReply res_query res_search
    select setjmp sleep sprintf strcat strcpy strncat strncpy strtok system
    usleep vsprintf
);

# rd_kafka_flush() waits; exit has a bound of its own

my %may_call = (
    'ngx_gw_kafka.c' => { rd_kafka_flush => 1 },
);

my $path_re = qr{(?<![\w.~\$\}*-])/(?:work|home|root|Users)/\w};

my $registry_re = qr{
    \b(?: deb\.debian\.org | security\.debian\.org | ftp\.\w+\.debian\.org
        | repo1?\.maven(?:\.apache)?\.org | (?:files\.)?pythonhosted\.org
        | pypi\.org | registry\.npmjs\.org | www\.cpan\.org
        | cpan\.metacpan\.org | proxy\.golang\.org | index\.crates\.io
        | (?:artifactory|nexus|registry|mirror)\.[\w.-]+\.\w+
        | [\w-]+\.(?:internal|corp|intranet|lan)\b (?!\s*\() )
}x;

my ($path, @found);


if (@ARGV == 2 && $ARGV[0] eq '--self-test') {
    exit self_test($ARGV[1]);
}

for my $file (@ARGV ? @ARGV : tree()) {
    open(my $fh, '<:raw', $file) or die "$file: $!\n";
    my $text = do { local $/; <$fh> };
    close($fh);

    next if !defined $text || $text =~ /\0/;

    check($file, $text);
}

print map { "$_\n" } @found;

exit(@found ? 1 : 0);


sub tree {
    my @files;

    find({ no_chdir => 1, wanted => sub {
        if (-d $_ && m{^\./(?:\.git|build)$}) {
            $File::Find::prune = 1;

        } elsif (-f $_ && !-l $_) {
            push @files, s{^\./}{}r;
        }
    } }, '.');

    return sort @files;
}


sub report {
    my ($line, $rule, $what) = @_;

    exists $rules{$rule} or die "unknown rule $rule\n";

    push @found, "$path:$line: $rule: $what";
}


sub check {
    ($path, my $text) = @_;

    my $is_c = $path =~ /\.[ch]\z/;
    my $is_code = $is_c || $path =~ /\.(?:lua|p[lm]|py|sh)\z/
                  || $text =~ /\A#!/;

    check_text($text);

    $text =~ s/^__(?:DATA|END)__\n.*//ms if $path =~ /\.(?:t|p[lm])\z/;

    if ($is_code || $path =~ /\.t\z/) {
        check_code($text, $is_code);
    }

    if ($is_c) {
        check_c($text);
    }
}


sub check_text {
    my ($text) = @_;

    my $n = 0;

    for my $line (split /\n/, $text) {
        $n++;

        report($n, 'path', "\"$1\"") if $line =~ /($path_re)/;
        report($n, 'registry', "\"$1\"") if $line =~ /($registry_re)/;
    }
}


sub check_code {
    my ($text, $is_code) = @_;

    my @lines = split /\n/, $text, -1;
    my $n = 0;

    for my $line (@lines) {
        $n++;

        (my $wide = $line) =~ s/[\x80-\xbf]//g;

        report($n, 'columns', length($wide)) if length($wide) > 80;
        report($n, 'blank', 'a tab') if $line =~ /\t/;
        report($n, 'blank', 'at the end of the line') if $line =~ /[ \r]\z/;
        report($n, 'todo', "\"$1\"") if $line =~ /\b(TO[D]O|FIX[M]E|XX[X])\b/;
    }

    report($n, 'blank', 'the file has to end with one newline')
        if $text !~ /[^\n]\n+\z/ || ($text =~ /\n\n\n\z/);

    report(1, 'copyright', "\"$copyright\" is missing")
        if $is_code && $text !~ /\A(?:[^\n]*\n){0,6}[^\n]*\Q$copyright\E\n/;
}


sub check_c {
    my ($text) = @_;

    my $name = basename($path);
    my $src = dirname($path) =~ m{(?:^|/)src\z};
    my $module = $name =~ /\Angx_http_gw_\w+_module\.c\z/;
    my $strict = $src || $module;

    my ($code, @slashes) = strip($text);
    my @code = split /\n/, $code;

    report($_, 'comment', 'use /* */') for @slashes;

    my $max = !$strict ? 0 : $module ? 1200 : $name =~ /\.h\z/ ? 150 : 600;
    my $len = () = $text =~ /\n/g;

    report($len, 'file-length', "$len lines, $max at most")
        if $max && $len > $max;

    check_guard($text, $name) if $name =~ /\.h\z/;
    check_lines($strict, $name, \@code);
    check_empty_lines($text, \@code);

    my @tops = top_level($code);

    check_functions($strict, $name, \@code, grep { $_->{body} } @tops);
    check_protos($strict, @tops);
    check_mutable(\@code, @tops) if $src;
}


# blanks comments and the insides of strings, keeping lines and columns

sub strip {
    my ($text) = @_;

    my ($code, @slashes) = ('');

    while ($text =~ m{\G (?: (/\*.*?\*/) | (//[^\n]*)
                           | ("(?:[^"\\\n]|\\.)*") | ('(?:[^'\\\n]|\\.)*')
                           | (.) )}gsx)
    {
        if (defined $1) {
            $code .= $1 =~ s/[^\n]/ /gr;

        } elsif (defined $2) {
            push @slashes, 1 + ($code =~ tr/\n//);
            $code .= ' ' x length($2);

        } elsif (defined $3) {
            $code .= '"' . ('s' x (length($3) - 2)) . '"';

        } elsif (defined $4) {
            $code .= "'" . ('c' x (length($4) - 2)) . "'";

        } else {
            $code .= $5;
        }
    }

    return ($code, @slashes);
}


sub check_guard {
    my ($text, $name) = @_;

    my $guard = '_' . uc($name =~ s/\W/_/gr) . '_INCLUDED_';

    if ($text !~ m{^\#ifndef\ \Q$guard\E\n\#define\ \Q$guard\E\n .*
                   ^\#endif\ /\*\ \Q$guard\E\ \*/\n+\z}msx)
    {
        report(1, 'guard', "$guard expected: #ifndef, #define, #endif");
    }
}


sub check_lines {
    my ($strict, $name, $code) = @_;

    my $n = 0;

    for my $line (@$code) {
        $n++;

        report($n, 'keyword', "\"$1(\"")
            if $line =~ /\b(if|for|while|switch|return)\(/
            && $line !~ /^\s*#/;

        next if !$strict;

        while ($line =~ /\b([A-Za-z_]\w*)\s*\(/g) {
            report($n, 'forbidden', "$1()")
                if $forbidden{$1} && !$may_call{$name}{$1};
        }

        # the arguments may go on in the next line

        my $call = $line . ' ' . ($code->[$n] // '');

        if ($line =~ /\b(?:ngx_)?(?:memcmp|str\w*cmp|memn2cmp)\s*\(/) {
            $call =~ s/^.*?cmp\s*\(//;
            $call =~ s/;.*//;

            report($n, 'secret', 'use CRYPTO_memcmp()')
                if $call =~ /(?:\b|_)(?:mac|hmac|sig|signature|secret|passwd
                              |password|token|credential)(?:\b|_)/x;
        }
    }
}


# what ends in column 1 is followed by two empty lines, and so is what a
# function's comment follows; directives may stand closer

sub check_empty_lines {
    my ($text, $code) = @_;

    my @lines = split /\n/, $text;

    for my $i (0 .. $#lines) {

        if ($code->[$i] =~ /^\}[^{]*$/) {
            my $gap = 0;

            $gap++ while $i + 1 + $gap <= $#lines
                         && $lines[$i + 1 + $gap] eq '';

            my $next = $lines[$i + 1 + $gap];

            next if !defined $next || $gap == 2;
            next if $next =~ /^#\s*(?:endif|else|elif|undef)/ && $gap == 1;

            report($i + 1, 'two-lines', "$gap empty lines follow");
        }

        # a function: go up over its type and its comment

        next if $code->[$i] !~ /^\w+\(/ || $i == 0;

        my $top = $i;

        $top-- while $top > 0 && $lines[$top - 1] ne ''
                     && $lines[$top - 1] !~ /^(?:#|\s*\*\/|\/\*)/;

        for (1 .. 2) {
            my $end = $top - 1;

            $end-- if $end > 0 && $lines[$end] eq '';

            last if $lines[$end] !~ /\*\/\s*\z/
                    || $lines[$end] !~ /^(?: \*|\/\*)/;

            $end-- while $end > 0 && $lines[$end] !~ /^\/\*/;
            $top = $end;
        }

        next if $top < 2 || $lines[$top - 1] =~ /^#/
                || ($lines[$top - 1] eq '' && $lines[$top - 2] =~ /^#/);

        report($top + 1, 'two-lines', 'before a function')
            if $lines[$top - 1] ne '' || $lines[$top - 2] ne '';
    }
}


# top-level statements: text with nested braces emptied, first line, and for
# functions the first and last line of the body

sub top_level {
    my ($code) = @_;

    # directives and lines that are one macro do not count

    $code =~ s{^[ ]*\#(?:[^\n]*\\\n)*[^\n]*}
              {$& =~ s/[^\n]/ /gr}gemx;
    $code =~ s/^([A-Z_]+(?:\([^()\n]*\))?)$/' ' x length($1)/gem;

    my ($stmt, $depth, $line, $first, $open) = ('', 0, 1, 0, 0);
    my @tops;

    for my $ch (split //, $code) {

        $line++ if $ch eq "\n";

        if ($ch eq '{') {

            if ($depth++ == 0) {
                $open = $line;
                $stmt .= '{}';
            }

            next;
        }

        if ($ch eq '}') {
            next if --$depth != 0;

            if ($stmt =~ /\)\s*\{\}\z/ && $stmt !~ /=/) {
                push @tops, { text => $stmt, first => $first,
                              open => $open, close => $line, body => 1 };
                ($stmt, $first) = ('', 0);
            }

            next;
        }

        next if $depth > 0;

        $first ||= $line if $ch =~ /\S/;
        $stmt .= $ch if $first;

        if ($ch eq ';') {
            push @tops, { text => $stmt, first => $first };
            ($stmt, $first) = ('', 0);
        }
    }

    return @tops;
}


sub check_functions {
    my ($strict, $name, $code, @functions) = @_;

    # of the layer; modules have names of their own

    my ($prefix) = $name =~ /\A(ngx_http_gw_\w+)_module\.c\z/;

    $prefix //= ($name =~ /\A(ngx_http_gw|ngx_gw|gw)[_.]/)[0] // '';

    for my $f (@functions) {

        my ($func) = $f->{text} =~ /\b(\w+)\s*\(/;
        my $len = $f->{close} - $f->{first} + 1;

        report($f->{first}, 'func-length', "$func() has $len lines")
            if $len > 100;

        report($f->{open}, 'brace', "$func()")
            if $code->[$f->{open} - 1] ne '{';

        report($f->{first}, 'func-name', "\"$func\" is not in column 1")
            if $f->{text} !~ /^\Q$func\E\(/m;

        report($f->{first}, 'func-name', "$func() in $name")
            if $strict && $func !~ /\A\Q$prefix\E_/;

        my ($depth, $deepest, $at) = (0, 0, 0);

        for my $n ($f->{open} .. $f->{close}) {
            for my $brace ($code->[$n - 1] =~ /[{}]/g) {
                $depth += $brace eq '{' ? 1 : -1;

                ($deepest, $at) = ($depth, $n) if $depth > $deepest;
            }
        }

        report($at, 'nesting', ($deepest - 1) . " blocks in $func()")
            if $deepest > 5;
    }
}


sub check_protos {
    my ($strict, @tops) = @_;

    my (@protos, @defs, %line, %inline);

    for my $top (@tops) {
        next if $top->{text} !~ /\Astatic\b/;
        next if $top->{text} =~ /\b(?:ngx_)?inline\b/;
        next if $top->{text} !~ /\A[^=({]*?\b(\w+)\s*\(\s*[^*\s]/;

        my $func = $1;

        if ($top->{body}) {
            push @defs, $func;
            $line{$func} = $top->{first};

        } elsif ($top->{text} !~ /=/) {
            push @protos, $func;
        }
    }

    my %proto = map { $_ => 1 } @protos;

    if ($strict) {
        for my $func (grep { !$proto{$_} } @defs) {
            report($line{$func}, 'proto-order', "$func() has no prototype");
        }
    }

    # definitions that have a prototype, against prototypes with a definition

    my %seen;
    my @want = grep { $line{$_} && !$seen{$_}++ } @protos;

    %seen = ();
    my @have = grep { $proto{$_} && !$seen{$_}++ } @defs;

    for my $i (0 .. $#have) {
        next if $have[$i] eq $want[$i];

        report($line{$have[$i]}, 'proto-order',
               "$have[$i]() is defined where the prototypes "
               . "have $want[$i]()");
        last;
    }
}


sub check_mutable {
    my ($code, @tops) = @_;

    for my $top (@tops) {

        if ($top->{body}) {
            for my $n ($top->{open} .. $top->{close}) {
                my $line = $code->[$n - 1];

                report($n, 'mutable', 'a static in a function')
                    if $line =~ /^\s+static\b(.*)/ && !is_const($1);
            }

            next;
        }

        my $text = $top->{text};

        next if $text =~ /\A(?:typedef|_Static_assert)\b/;
        next if $text =~ /\Aextern\s+ngx_module_t\s/;
        next if $text =~ /\A(?:struct|union|enum)\b[^=(]*\{\}\s*;\z/;
        next if $text =~ /\A(?:struct|union|enum)\s+\w+\s*;\z/;

        my ($left) = $text =~ /\A([^=;]*)/;

        # what has parentheses is a function, unless they begin a pointer

        next if $left =~ /\A[^(]*\((?!\s*\*)/;

        report($top->{first}, 'mutable', $text =~ s/\s+/ /gr)
            if !is_const($text);
    }
}


# nginx takes names as "ngx_str_t *", though it does not write to them: a
# literal in ngx_string() counts as constant

sub is_const {
    my ($left) = @_;

    return 1 if $left =~ /\A(?:static)?\s*ngx_str_t\s+\w+\s*=\s*ngx_string\(/;

    $left =~ s/[=;].*//s;
    $left =~ s/\[[^\]]*\]//g;

    return $left =~ /\*\s*const\s+\w+/ if $left =~ /\*/;

    return $left =~ /\bconst\b/;
}


# Sections "=== RULE FILE" and a snippet; RULE may be "none".  A snippet has
# to give this rule and no other.  What all of them need is added here.

sub self_test {
    my ($file) = @_;

    my ($failed, $total, %tested) = (0, 0);

    open(my $fh, '<', $file) or die "$file: $!\n";
    my $text = do { local $/; <$fh> };
    close($fh);

    (undef, my @sections) = split /^=== (?!TEST)/m, $text;

    for my $section (@sections) {

        my ($rule, $name, $snippet) = $section =~ /\A(\S+) (\S+)\n(.*)\z/s
            or die "$file: bad section: $section\n";

        if ($rule eq 'file-length' || $rule eq 'func-length') {
            $snippet =~ s/^(.*)<x(\d+)>\n/"$1\n" x $2/gem;
        }

        # what is written here in clear would be found in this very file

        $snippet =~ s/<tab>/\t/g;
        $snippet =~ s/<blank>/ /g;
        $snippet =~ s/<>//g;

        $snippet = "\n/*\n * $copyright\n */\n\n\n$snippet"
            if $rule ne 'copyright' && $name =~ /\.[ch]\z/;

        @found = ();
        check($name, $snippet);

        my %got = map { /:\d+: (\S+):/ ? ($1 => 1) : () } @found;
        my $got = join(' ', sort keys %got) || 'none';

        $total++;
        $tested{$rule} = 1;

        if ($got ne $rule) {
            $failed++;
            print "$name: \"$rule\" expected, \"$got\" found in\n$snippet\n",
                  map { "$_\n" } @found;
        }
    }

    for my $rule (grep { !$tested{$_} } sort keys %rules) {
        $failed++;
        print "$file: no snippet for the rule \"$rule\"\n";
    }

    print "style.pl: $total snippets, $failed failed\n";

    return $failed ? 1 : 0;
}
