#!/usr/bin/perl

# Copyright (C) The nginx gateway modules authors

# Runs test programs one after the other, those of t/e2e in two more runs
# beside the others, and adds up:
#
#     tools/runtests.pl build/unit/test_a t/b.t t/e2e/c.t ...
#
# A program that ends with an error, breaks its plan, is silent for too long,
# or makes a sanitizer report counts as at least one failure.  The last line
# is "N passed, N failed"; skipped tests are listed with their reasons.
#
# Files named *.t find in their environment, all paths absolute:
#
#     TEST_NGINX_BINARY           nginx
#     TEST_NGINX_LOAD_MODULES     the three modules
#     TEST_NGINX_SERVROOT         Test::Nginx's folder
#     TEST_NGINX_SERVER_PORT      a free port, also as _CLIENT_PORT
#     TEST_NGINX_REDIS_PORT       a real Redis, empty
#     TEST_NGINX_KAFKA            librdkafka's mock broker, topic gw.usage
#     TEST_NGINX_KAFKA_CONTROL    a pipe that takes the mock's commands
#     TEST_NGINX_KEYS             keys made by tools/keys.sh
#     TEST_NGINX_BIN              build/bin
#     TEST_NGINX_RUN              a folder for servers started by the test
#     TEST_NGINX_PORTS            "FROM TO", of which ports are chosen, so
#                                 that no other run takes the port of a
#                                 server that is being restarted
#
# The folder of a run is build/test/PID; it stays if something failed.
# TEST_SECONDS bounds a program, 1800 by default.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname basename);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX ();
use TAP::Harness;
use Time::HiRes qw(sleep);


my $self = abs_path($0);
my $root = abs_path(dirname($0) . '/..');
my $build = abs_path($ENV{BUILD} || "$root/build") or die "no build folder\n";
my $server = "$root/tools/server.sh";
my $run = "$build/test/$$";
my $limit = $ENV{TEST_SECONDS} || 1800;

my ($passed, $failed) = (0, 0);
my (@skipped, @trouble);
my ($main, $keep) = ($$, 1);


@ARGV or die "no tests\n";

chdir $root or die "$root: $!\n";
$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 130 };

$ENV{TEST_NGINX_PORTS} ||= ports(0);

remove_old();
make_path($run);

# workers may have another user, and report as well

mkdir "$run/sanitizer" and chmod 01777, "$run/sanitizer";

my @beside = start_beside();

prepare() if grep { /\.t\z/ } @ARGV;
run_all(@ARGV);
add_beside($_) for @beside;
report();

exit($failed ? 1 : 0);


END {
    if ($$ == $main) {
        my $status = $?;

        end_children();
        system($server, 'stop-all', $run) if -d $run;
        remove_tree($run) unless $keep;

        $? = $status;
    }
}


# folders of runs that are over

sub remove_old {
    for my $dir (glob "$build/test/*") {
        my $pid = basename($dir);

        next if $pid !~ /\A\d+\z/ || kill(0, $pid) || $!{EPERM};

        system($server, 'stop-all', $dir);
        remove_tree($dir);
    }
}


# end-to-end tests have servers of their own and mostly wait for them: they
# are other runs at the same time, the longest of them in one of their own

sub start_beside {
    my (%apart, @rest, @started);

    for my $file (@ARGV) {
        if ($file =~ m{(?:\A|/)t/e2e/(usage|kafka)?}) {
            push @{$apart{$1 ? 'usage' : 'others'}}, $file;

        } else {
            push @rest, $file;
        }
    }

    return if !@rest;

    for my $name (sort keys %apart) {
        my $pid = fork() // die "fork: $!\n";

        if (!$pid) {
            $ENV{TEST_NGINX_PORTS} = ports(@started + 1);

            open(STDOUT, '>', "$run/beside-$name")
                && open(STDERR, '>&', \*STDOUT)
                or POSIX::_exit(1);

            exec($^X, $self, @{$apart{$name}}) or POSIX::_exit(1);
        }

        push @started, { name => $name, pid => $pid };
    }

    @ARGV = @rest;

    return @started;
}


sub add_beside {
    my ($beside) = @_;

    waitpid($beside->{pid}, 0);

    my $said = slurp("$run/beside-$beside->{name}");

    if ($said =~ s/^(\d+) passed, (\d+) failed\n*\z//m) {
        $passed += $1;
        $failed += $2;

    } else {
        push @trouble, "t/e2e: the run of \"$beside->{name}\" came to no end";
        $failed++;
    }

    print $said;
}


# below the range from which outgoing connections get theirs

sub ports {
    my ($n) = @_;

    return join ' ', 10000 + 7000 * $n, 16999 + 7000 * $n;
}


sub prepare {
    $ENV{PATH} .= ':/usr/sbin:/sbin';

    my ($nginx) = grep { -x } map { "$_/nginx" } split /:/, $ENV{PATH};

    $ENV{TEST_NGINX_BINARY} = $ENV{TEST_NGINX_BINARY}
        ? abs_path($ENV{TEST_NGINX_BINARY}) : $nginx;
    $ENV{TEST_NGINX_BINARY} or die "no nginx\n";

    $ENV{TEST_NGINX_LOAD_MODULES} = join ' ', glob "$build/modules/*.so";
    $ENV{TEST_NGINX_SERVROOT} = "$run/servroot";
    $ENV{TEST_NGINX_KEYS} = "$run/keys";
    $ENV{TEST_NGINX_BIN} = "$build/bin";

    # its own is 3 seconds, which a busy machine may need

    $ENV{TEST_NGINX_TIMEOUT} ||= 60;

    # left by a test of Test::Nginx in another environment

    delete $ENV{TEST_NGINX_PORT};

    system("$root/tools/keys.sh", $ENV{TEST_NGINX_KEYS}) == 0
        or die "cannot make keys\n";

    my $kafka = start('mock-kafka');

    $ENV{TEST_NGINX_KAFKA} = "127.0.0.1:$kafka";
    $ENV{TEST_NGINX_KAFKA_CONTROL} = "$run/mock-kafka/control";
}


sub start {
    my ($kind) = @_;

    my $port = `$server start $kind $run/$kind`;

    $? == 0 or die "cannot start $kind\n";
    chomp $port;

    return $port;
}


sub run_all {
    my @files = @_;
    my ($current, $parser, %added);

    my $harness = TAP::Harness->new({
        exec => \&command,
        failures => 1,
        verbosity => $ENV{TEST_VERBOSE} ? 1 : 0,
        color => 0,
    });

    $harness->callback(made_parser => sub {
        ($parser, my $job) = @_;
        my $file = $current = $job->[0];

        $parser->callback(test => sub {
            my ($test) = @_;

            push @skipped, "$file: " . ($test->explanation || 'no reason')
                if $test->has_skip;
        });

        $parser->callback(EOF => sub {
            my ($parser) = @_;

            push @skipped, "$file: " . ($parser->skip_all || 'no reason')
                if defined $parser->skip_all;
        });
    });

    $harness->callback(after_test => sub {
        my ($job, $parser) = @_;

        add_up($job->[0], $parser) if !$added{$job->[0]}++;
    });

    # one that bails out does not stop the others

    while (@files) {
        last if eval { $harness->runtests(@files); 1 };

        die $@ if !$current;

        print $@;
        add_up($current, $parser) if !$added{$current}++;
        1 while @files && shift @files ne $current;
    }
}


# called when a program is about to start

sub command {
    my ($harness, $file) = @_;

    # commas: Test::Nginx appends the test's name to the path

    $ENV{ASAN_OPTIONS} = "detect_leaks=1,log_path=$run/sanitizer/report";
    $ENV{UBSAN_OPTIONS} = "log_path=$run/sanitizer/report:print_stacktrace=1";

    my @cmd = ('timeout', '--foreground', '-k', 10, $limit);

    $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';

    return [@cmd, abs_path($file)] if $file !~ /\.t\z/;

    # nginx frees nothing when it exits by a signal, and each dynamic module
    # has an "ngx_modules" of its own

    $ENV{ASAN_OPTIONS} =~ s/detect_leaks=1/detect_leaks=0/;
    $ENV{ASAN_OPTIONS} = "detect_odr_violation=0,$ENV{ASAN_OPTIONS}";

    $ENV{TEST_NGINX_RUN} = "$run/" . basename($file, '.t');
    $ENV{TEST_NGINX_SERVER_PORT} = free_port();
    $ENV{TEST_NGINX_CLIENT_PORT} = $ENV{TEST_NGINX_SERVER_PORT};
    $ENV{TEST_NGINX_REDIS_PORT} = empty_redis();
    make_path($ENV{TEST_NGINX_RUN});

    return [@cmd, $^X, "-I$root/t/lib", $file];
}


sub add_up {
    my ($file, $parser) = @_;

    my $skips = () = $parser->skipped;
    my $bad = () = $parser->failed;
    my $reports = 0;
    my $missing = ($parser->tests_planned || 0) - $parser->tests_run;

    $passed += (() = $parser->passed) - $skips;
    $bad += $missing if $missing > 0;

    if (!$bad && ($parser->exit || $parser->wait || $parser->parse_errors)) {
        push @trouble, "$file: " . why($parser);
        $bad = 1;
    }

    for my $report (glob "$run/sanitizer/*") {
        print "$file: ", slurp($report), "\n";
        unlink $report;
        push @trouble, "$file: a sanitizer made a report, see above"
            if !$reports++;
        $bad ||= 1;
    }

    end_nginx("$run/servroot");

    $failed += $bad;
}


sub why {
    my ($parser) = @_;

    return "took more than $limit seconds" if $parser->exit == 124;
    return "exit status " . $parser->exit if $parser->exit;
    return "killed by signal " . ($parser->wait & 127) if $parser->wait;

    return join '; ', $parser->parse_errors;
}


sub report {
    $keep = $failed;

    print "skipped: $_\n" for @skipped;
    print "failed: $_\n" for @trouble;
    print "the folder of this run is $run\n" if $failed;
    print "$passed passed, $failed failed\n";
}


# the test may have stopped it, or left data

sub empty_redis {
    my $port = -d "$run/redis" ? slurp("$run/redis/port") : start('redis');

    for (1 .. 2) {
        my $fh = IO::Socket::INET->new("127.0.0.1:$port");

        if ($fh) {
            syswrite($fh, "FLUSHALL\r\n");
            sysread($fh, my $answer, 64) and return $port;
        }

        system($server, 'stop', "$run/redis");
        start('redis');
    }

    die "Redis does not answer\n";
}


sub free_port {
    my ($from, $to) = split ' ', $ENV{TEST_NGINX_PORTS};

    for (1 .. 1000) {
        my $port = $from + int rand($to - $from + 1);

        return $port
            if IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                                     LocalPort => $port, ReuseAddr => 1);
    }

    die "no free port\n";
}


# a test that was killed leaves its nginx

sub end_nginx {
    my ($servroot) = @_;

    my $pid = slurp("$servroot/logs/nginx.pid") || return;

    for (1 .. 500) {
        return if slurp("/proc/$pid/cmdline") !~ /\Q$servroot\E/;
        kill($_ == 1 ? 'TERM' : $_ == 400 ? 'KILL' : 0, $pid);
        sleep 0.01;
    }
}


# if this program is to end early

sub end_children {
    open(my $fh, '<', "/proc/$$/task/$$/children") or return;
    my @pids = split ' ', <$fh> // '';

    kill('TERM', @pids);
    waitpid($_, 0) for @pids;
}


sub slurp {
    my ($path) = @_;

    open(my $fh, '<', $path) or return '';
    local $/;
    my $text = <$fh> // '';
    chomp $text;

    return $text =~ s/\n\z//r;
}
