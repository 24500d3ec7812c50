package GWPassport;

# Copyright (C) The nginx gateway modules authors

# The examples of docs/examples, which verify passports in five languages:
# built, run, and compared with what docs/passport.md shows of them.
#
# Functions
#
#   languages()
#       their names
#
#   build($language)
#       builds an example in build/examples, and returns (COMMAND, undef), or
#       (undef, REASON) if its compiler or library can't be had here; dies if
#       it can, and the example does not compile
#
#   snippet_problems()
#       where docs/passport.md differs from the examples
#
#   sign($alg, $key, \%header, \%claims)
#       any JWT, by OpenSSL's own tool: ES256 or EdDSA with the path of a
#       PEM, HS256 with the bytes of a secret.  "alg" is added to the header
#
# GWPassport->new($language, \@command, $url, $issuer, $audience, @seconds)
#
#   Starts an example.
#
#   ->ask($passport)    its answer, a line
#   ->language
#   ->stop              the end of its input, and its exit status

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter qw(import);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use IO::Handle;
use IO::Select;
use IPC::Open2;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use POSIX ();

use GWTest;

our @EXPORT = qw(build languages sign snippet_problems);

my $SECONDS = 60;
my $examples = "$GWTest::ROOT/docs/examples";
my $json = JSON::PP->new->canonical->utf8;

my %build = (
    c => \&build_c,
    go => \&build_go,
    java => \&build_java,
    node => \&build_node,
    python => \&build_python,
);


sub languages {
    return sort keys %build;
}


sub build {
    my ($language) = @_;

    my $dir = "$GWTest::ROOT/build/examples/$language";

    make_path($dir);

    my @command = eval { $build{$language}->($dir) };

    return (\@command, undef) if @command;
    return (undef, $1) if $@ =~ /\Askip: (.*)/;

    die $@;
}


sub build_c {
    my ($dir) = @_;

    need('cc');

    my $probe = GWTest::write_file('probe.c', join '', map { "#include <$_>\n" }
        'cjose/cjose.h', 'jansson.h', 'curl/curl.h');

    run('cc', '-fsyntax-only', $probe)
        or skip('no headers of cjose and libcurl');

    compile('cc', '-O2', '-Wall', '-Wextra', '-Werror', '-o', "$dir/verify",
            "$examples/c/verify.c", '-lcjose', '-ljansson', '-lcurl');

    return "$dir/verify";
}


sub build_go {
    my ($dir) = @_;

    need('go');

    local $ENV{GOTOOLCHAIN} = 'local';
    local $ENV{GOFLAGS} = '-mod=readonly -buildvcs=false';

    my @go = ('env', '-C', "$examples/go", 'timeout', 300, 'go');

    run(@go, 'mod', 'download') or skip('golang-jwt can\'t be fetched');

    compile(@go, 'build', '-o', "$dir/verify", '.');

    return "$dir/verify";
}


sub build_java {
    my ($dir) = @_;

    need('java', 'mvn');

    my ($compiler) = grep { found($_) } 'javac', 'ecj'
        or skip('no javac and no ecj');

    my @copy = ('timeout', 300, 'mvn', '-q', '-B', '-f',
                "$examples/java/pom.xml", 'dependency:copy-dependencies',
                "-DoutputDirectory=$dir/libs");

    # Maven may have it already, from another clone

    if (GWTest::slurp("$dir/libs/pom.xml")
        ne GWTest::slurp("$examples/java/pom.xml"))
    {
        remove_tree("$dir/libs");
        run(@copy, '--offline') || run(@copy)
            or skip('Nimbus JOSE+JWT can\'t be fetched');
        copy("$examples/java/pom.xml", "$dir/libs") or die "copy: $!\n";
    }

    compile($compiler, '-proc:none', '-source', 17, '-target', 17,
            '-cp', join(':', glob "$dir/libs/*.jar"), '-d', "$dir/classes",
            "$examples/java/Verify.java");

    return ('java', '-Xmx64m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC',
            '-cp', "$dir/classes:$dir/libs/*", 'Verify');
}


# a package of Debian is where only its own nodejs would find it, or beside
# the program

sub build_node {
    my ($dir) = @_;

    need('node');

    my ($jose) = grep { -e "$_/package.json" }
                 map { "$_/jose" } split(/:/, $ENV{NODE_PATH} // ''),
                                   '/usr/share/nodejs'
        or skip('no jose');

    make_path("$dir/node_modules");
    unlink("$dir/node_modules/jose");
    symlink($jose, "$dir/node_modules/jose") or die "symlink: $!\n";

    for my $name ('package.json', 'verify.js') {
        copy("$examples/node/$name", "$dir/$name") or die "$name: $!\n";
    }

    run('node', '-e', 'fetch && process.exit(0)')
        or skip('node is older than 18');

    return ('node', "$dir/verify.js");
}


sub build_python {
    my $python = '/usr/bin/python3';

    need($python);
    run($python, '-c', 'import jwt, cryptography') or skip('no PyJWT');

    return ($python, "$examples/python/verify.py");
}


sub need {
    for my $name (@_) {
        found($name) or skip("no $name");
    }
}


sub found {
    my ($name) = @_;

    return grep { -x } $name =~ m{/} ? $name
                       : map { "$_/$name" } split /:/, $ENV{PATH};
}


sub skip {
    my ($reason) = @_;

    die "skip: $reason\n";
}


sub run {
    my $output = output(@_);

    return $? == 0;
}


sub compile {
    my $output = output(@_);

    $? == 0 or die "@_: $output\n";
}


sub output {
    my @command = @_;

    my $pid = open(my $fh, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        exec(@command) or POSIX::_exit(127);
    }

    my $text = do { local $/; <$fh> } // '';

    close($fh);

    return $text;
}


# A block of docs/passport.md after <!-- docs/examples/FILE --> is what stands
# between the lines with "snippet: begin" and "snippet: end" of the file.

sub snippet_problems {
    my $page = GWTest::slurp("$GWTest::ROOT/docs/passport.md");
    my (%shown, @problems);

    $shown{$1} = $2 while $page =~ m{^<!--[ ]docs/examples/(\S+)[ ]-->\n\n?
                                     ```\w+\n (.*?) ^```$}gmsx;

    for my $file (glob "$examples/*/[vV]erify.*") {
        my $name = substr $file, length("$examples/");
        my $shown = delete $shown{$name};
        my ($snippet) = GWTest::slurp($file) =~
            /^[^\n]*snippet:[ ]begin[^\n]*\n (.*?) ^[^\n]*snippet:[ ]end/msx;

        if (!defined $snippet || !defined $shown) {
            push @problems, "$name: no snippet, in the file or on the page";

        } elsif (plain($snippet) ne plain($shown)) {
            push @problems, "$name: the page shows something else";
        }
    }

    return @problems, map { "$_: no such example" } sort keys %shown;
}


# without what all lines are indented by, and empty lines around

sub plain {
    my ($text) = @_;

    my ($indent) = sort { length $a <=> length $b }
                   $text =~ /^([ \t]*)(?=\S)/mg;

    $text =~ s/^\Q$indent\E//mg if defined $indent;
    $text =~ s/\A\n+|\n+\z//g;

    return $text;
}


sub sign {
    my ($alg, $key, $header, $claims) = @_;

    my $input = join '.', map { encode_base64url($json->encode($_)) }
                          { alg => $alg, %$header }, $claims;

    return "$input." . encode_base64url(
        $alg eq 'HS256' ? hmac_sha256($input, $key)
                        : signature($alg, $key, $input));
}


sub signature {
    my ($alg, $key, $input) = @_;

    my $file = GWTest::write_file('signed', $input);
    my @command = $alg eq 'EdDSA'
        ? ('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', $key,
           '-in', $file)
        : ('openssl', 'dgst', '-sha256', '-sign', $key, $file);

    open(my $fh, '-|', @command) or die "openssl: $!\n";
    binmode($fh);
    my $sig = do { local $/; <$fh> };
    close($fh) or die "cannot sign\n";

    return $sig if $alg eq 'EdDSA';

    # two integers in DER: two halves of 32 bytes

    my (undef, $r, undef, $s) = unpack 'x2 (a C/a)2', $sig;

    return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}


sub new {
    my ($class, $language, $command, @args) = @_;

    my $self = bless { language => $language }, $class;

    # what it logs goes to a file

    $self->{pid} = open2($self->{out}, $self->{in},
                         'sh', '-c', 'exec "$@" 2>> "$0"',
                         run_dir() . "/$language.log", @$command, @args);
    GWTest::started($self);

    return $self;
}


sub language { $_[0]{language} }


sub ask {
    my ($self, $passport) = @_;

    print {$self->{in}} "$passport\n";
    $self->{in}->flush;

    my $select = IO::Select->new($self->{out});
    my $text = '';

    while ($text !~ /\n\z/) {
        $select->can_read($SECONDS) && sysread($self->{out}, $text, 65536,
                                               length $text)
            or die "$self->{language} does not answer\n";
    }

    chomp $text;

    return $text;
}


sub stop {
    my ($self) = @_;

    return $self->{status} if !$self->{pid};

    close($self->{in});

    my $pid = delete $self->{pid};
    my $gone = eval {
        wait_for(sub { waitpid($pid, POSIX::WNOHANG()) == $pid },
                 "$self->{language} to end");
    };

    if (!$gone) {
        kill('KILL', $pid);
        waitpid($pid, 0);
    }

    return $self->{status} = $?;
}


1;
