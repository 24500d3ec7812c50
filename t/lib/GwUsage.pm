# Copyright (C) The nginx gateway modules authors

# Usage events in tests of Test::Nginx.
#
#     --- events
#     subject=alice api=orders status=200 units=1
#     subject=- status=403 units=0
#
# expects exactly these events of the requests of a block, in the order of
# their sequences.  A line lists what is looked at: NAME=VALUE, NAME~REGEX or
# NAME==NAME; "-" stands for no such member, or null.  An empty section: no
# events.
#
#     --- sums
#     api=stream interim=2 units=1 passed=100
#
# expects a request of that api with one final and at least so many interim
# events, which add up to the line "api $request_length $bytes_sent
# $request_time" of logs/sums.log; the client has sent "passed" bytes more.
#
#     --- message: REGEX
#
# is looked for in the messages, shown as "KEY HEADERS VALUE".
#
# How many there are is known by asking nginx for one more, whose id tells
# the sequence; then Kafka is read until all before that one are there.
# Requests of blocks without this section count as those of the next one.
#
#     --- kafka eval
#     ["down all", "", "wait orders\nstop", "up all"]
#
# commands for the mock broker of GwUsage::start_kafka(), after each request;
# "stop" and "cont" are signals, "wait API" waits for an event, "log REGEX" for
# a line of the error log, "reload" has nginx reload.  "kafka_init" has those to
# be given before nginx starts.
#
#     --- log_lines
#     1 gw usage: events dropped
#
# counts the lines of the error log in which a regex matches.  With "1*" a
# worker may write it again, but not within ten seconds.
#
#     --- stop_nginx: TERM
#
# sends the signal, and expects nginx to end in peace: no worker is so late that
# the master kills it, some 1.5 s after TERM.  With "QUIT delivered" nothing may
# be left in the journal.  Where a machine was too slow nginx starts again with
# one more request, and has another attempt.
#
# $TEST_NGINX_FREE_PORT is a free port of 127.0.0.1.

package GwUsage;

use strict;
use warnings;

use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use List::Util qw(first);
use Test::More ();
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

use GwJournal;


our ($kafka_pid, $to_kafka, $from_kafka);

# as the server's port below those of outgoing connections, of which one may
# have any of $TEST_NGINX_RAND_PORT_1 when it is to be listened on

$ENV{TEST_NGINX_FREE_PORT} = first {
    IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_,
                          Listen => 1, ReuseAddr => 1)
} map { ($ENV{TEST_NGINX_SERVER_PORT} || 20000) + $_ } 1 .. 100;

my ($generation, $last) = ('', 0);


add_block_preprocessor(sub {
    my $block = shift;

    if (!defined $block->error_log && !defined $block->no_error_log) {
        $block->set_value('no_error_log', "[error]\n[alert]");
    }

    kafka_commands($block->kafka_init) if defined $block->kafka_init;

    if (!defined $block->must_die) {
        my $http = $block->http_config // '';

        $http .= "gw_usage_kafka $ENV{TEST_NGINX_KAFKA} topic=gw.usage;\n"
            if $http !~ /gw_usage_kafka /;
        $http .= GwJournal::directive() if $http !~ /gw_usage_journal /;

        $block->set_value('http_config', $http);
    }

    return if !defined $block->events && !defined $block->sums;

    $block->set_value('config', $block->config . <<'END');

    location = /gw-usage-last {
        gw_usage          on;
        gw_usage_api      last;
        gw_usage_subject  last;
        gw_usage_units    0;
        add_header        X-Usage-Id $gw_usage_id;
        allow             all;
        empty_gif;
    }
END
});

add_response_body_check(sub {
    my ($block, $body, $i) = @_;

    kafka_commands($block->kafka->[$i]) if ref $block->kafka;
});

add_test_cleanup_handler(sub {
    my $block = shift;

    my @id = defined $block->events || defined $block->sums ? last_id() : ();

    check_stop($block) if defined $block->stop_nginx;
    check_events($block, @id) if defined $block->events;
    check_sums($block, @id) if defined $block->sums;
    check_log($block) if defined $block->log_lines;
});

add_cleanup_handler(\&stop_kafka);


sub check_events {
    my ($block, $gen, $seq) = @_;

    my $name = $block->name;
    my @lines = grep { /\S/ } split /\n/, $block->events;

    if (!defined $gen) {
        fail("$name - events - nginx tells the last id");
        return;
    }

    my $from = $gen eq $generation ? $last : 0;
    ($generation, $last) = ($gen, $seq);

    is($seq - $from - 1, scalar @lines, "$name - events - number");

    my $events = read_events($gen, $from + 1, $seq - 1);

    for my $i (0 .. $#lines) {
        my $n = $from + 1 + $i;

        is(actual($events->{$n}[0], $lines[$i]), wanted($lines[$i]),
           "$name - events - event $n");
    }

    # a broker that fails may get a message twice

    if (!$kafka_pid) {
        is(scalar(grep { @$_ > 1 } values %$events), 0,
           "$name - events - each once");
    }

    check_message($block);
}


sub check_message {
    my $block = shift;

    return if !defined $block->message;

    my $pattern = $block->message;
    my @found = grep { /$pattern/ } kafka_messages('%k %h %s\n');

    ok(@found > 0, $block->name . ' - message');
}


# interim events are as many as there was time for; with the final one they
# add up to what nginx's own log says

sub check_sums {
    my ($block, $gen, $seq) = @_;

    my $name = $block->name;

    if (!defined $gen) {
        fail("$name - sums - nginx tells the last id");
        return;
    }

    my $from = $gen eq $generation ? $last : 0;
    ($generation, $last) = ($gen, $seq);

    my $events = read_events($gen, $from + 1, $seq - 1);
    my @events = map { $events->{$_}[0] } $from + 1 .. $seq - 1;

    for my $line (grep { /\S/ } split /\n/, $block->sums) {
        my %want = $line =~ /(\w+)=(\S+)/g;

        check_sum("$name - sums - $want{api}", \%want,
                  grep { member($_, 'api') eq $want{api} } @events);
    }

    check_message($block);
}


sub check_sum {
    my ($what, $want, @events) = @_;

    my @final = grep { $_->{type} eq 'gw.usage.v1' } @events;
    my @interim = grep { $_->{type} eq 'gw.usage.interim.v1' } @events;
    my @log = grep { /^$want->{api} / }
              split /\n/, slurp(server_root() . '/logs/sums.log');

    is(scalar @final, 1, "$what: one final event") or return;
    is($events[0]{type}, 'gw.usage.v1', "$what: its sequence is the first");
    is(@final + @interim, @events, "$what: no others");
    cmp_ok(scalar @interim, '>=', $want->{interim}, "$what: interim events");

    is(scalar(grep { $_->{data}{units} } @interim), 0, "$what: units");
    is($final[0]{data}{units}, $want->{units} // 1, "$what: final units");

    is(join(' ', map { sum($_, @events) } qw(bytes_in bytes_out duration_ms)),
       add_passed($log[0] // '', $want->{passed} // 0), "$what: sums");

    is(scalar(grep { !defined $_->{data}{request_id}
                     || $_->{data}{request_id}
                        ne $final[0]{data}{request_id} } @events),
       0, "$what: all of one request");
}


sub sum {
    my ($name, @events) = @_;

    my $sum = 0;

    $sum += $_->{data}{$name} for @events;

    return $sum;
}


# "API $request_length $bytes_sent $request_time", and what a client has sent
# after an upgrade

sub add_passed {
    my ($line, $passed) = @_;

    my ($in, $out, $time) = $line =~ / (\d+) (\d+) ([\d.]+)$/ or return $line;

    return join ' ', $in + $passed, $out, sprintf('%d', $time * 1000 + 0.5);
}


# asks for an event of our own

sub last_id {
    my $answer = ask('/gw-usage-last') // '';

    return $answer =~ /^X-Usage-Id: ([0-9a-f]{16})-([1-9]\d*)\r$/m;
}


sub ask {
    my $uri = shift;

    my $sock = IO::Socket::INET->new(
        PeerAddr => Test::Nginx::Util::server_addr(),
        PeerPort => Test::Nginx::Util::server_port(),
        Timeout => 30) or return;

    print $sock "GET $uri HTTP/1.0\r\nHost: localhost\r\n\r\n";

    return do { local $/; <$sock> };
}


# sequence => events, when all from the first to the last are there

sub read_events {
    my ($gen, $first, $last) = @_;

    my %events;
    my $end = time() + 120;

    while (1) {
        %events = ();

        for my $line (kafka_messages('%s\n')) {
            my $event = JSON::PP->new->utf8->decode($line);

            push @{ $events{$2} }, $event
                if $event->{id} =~ /\A(\w+)-(\d+)\z/ && $1 eq $gen;
        }

        my $missing = grep { !$events{$_} } $first .. $last;

        return \%events if !$missing || time() > $end;

        sleep 0.05;
    }
}


sub kafka_messages {
    my $format = shift;

    open(my $fh, '-|', 'kcat', '-C', '-q', '-e', '-b', $ENV{TEST_NGINX_KAFKA},
         '-X', 'fetch.wait.max.ms=10', '-t', 'gw.usage', '-o', 'beginning',
         '-m', 5, '-f', $format)
        or die "kcat: $!\n";

    my @lines = <$fh>;
    close($fh);

    return @lines;
}


sub wanted {
    my $line = shift;

    return join ' ', sort split ' ', $line;
}


# what the event has in place of the members that are looked at

sub actual {
    my ($event, $line) = @_;

    return 'no event' if !$event;

    return join ' ', sort map {
        my ($name, $op, $want) = /\A(\w+)(==|=|~)(.*)\z/
            or die "bad \"$_\"\n";
        my $value = member($event, $name);

        $op eq '~' && $value =~ /$want/ ? $_
            : $op eq '==' && $value eq member($event, $want) ? $_
            : "$name=$value";
    } split ' ', $line;
}


sub member {
    my ($event, $name) = @_;

    my $value = exists $event->{$name} ? $event->{$name}
                                       : $event->{data}{$name};

    return '-' if !defined $value;
    return $value ? 'true' : 'false' if JSON::PP::is_bool($value);

    utf8::encode($value);

    return $value;
}


sub check_log {
    my $block = shift;

    my $name = $block->name;
    my @log = split /\n/, slurp(server_root() . '/logs/error.log');

    for my $line (split /\n/, $block->log_lines) {
        my ($n, $pattern) = split ' ', $line, 2;
        my @found = grep { /$pattern/ } @log;

        @found = without_later(@found) if $n =~ s/\*\z//;

        is(scalar @found, $n, "$name - log_lines - $line");
    }
}


# Of one worker, that with most of them: without those that are ten seconds
# later than the one before, as far as whole seconds tell, also over midnight.

sub without_later {
    my @lines = @_;

    my (%last, %rest);

    for (@lines) {
        my ($h, $m, $s, $pid) = / (\d\d):(\d\d):(\d\d) \[\w+\] (\d+)#/;
        my $time = $h * 3600 + $m * 60 + $s;

        push @{$rest{$pid}}, $_
            if !defined $last{$pid} || ($time - $last{$pid}) % 86400 < 9;
        $last{$pid} = $time;
    }

    my ($most) = sort { @$b <=> @$a } values %rest;

    return @{$most || []};
}


sub start_kafka {
    $kafka_pid = open2($from_kafka, $to_kafka,
                       "$ENV{TEST_NGINX_BIN}/gw-kafka-mock");

    $ENV{TEST_NGINX_KAFKA} = <$from_kafka>;
    chomp $ENV{TEST_NGINX_KAFKA};
}


sub kafka_commands {
    for my $command (split /\n/, shift) {

        if ($command eq 'stop') {
            kill('STOP', $kafka_pid);

        } elsif ($command eq 'cont') {
            kill('CONT', $kafka_pid);

        } elsif ($command eq 'reload') {
            reload();

        } elsif ($command =~ /\Await (.*)/) {
            wait_for($1);

        } elsif ($command =~ /\Alog (.*)/) {
            wait_log($1);

        } else {
            print $to_kafka "$command\n";

            my $answer = <$from_kafka>;
            die "kafka: $command: $answer" if $answer ne "ok\n";
        }
    }
}


sub wait_for {
    my $api = shift;

    my $end = time() + 120;

    until (grep { /"api":"\Q$api\E"/ } kafka_messages('%s\n')) {
        die "no event of api $api\n" if time() > $end;
        sleep 0.05;
    }
}


sub wait_log {
    my $pattern = shift;

    my $end = time() + 120;

    until (slurp(server_root() . '/logs/error.log') =~ /$pattern/) {
        die "no \"$pattern\" in the error log\n" if time() > $end;
        sleep 0.05;
    }
}


# until the old workers are gone

sub reload {
    my $pid = slurp(server_root() . '/logs/nginx.pid') + 0;
    my @old = split ' ', slurp("/proc/$pid/task/$pid/children");

    kill('HUP', $pid);

    ok(are_gone(@old), 'old workers end');
}


# waits for them, but not for ever

sub are_gone {
    my @pids = @_;

    my $end = time() + 60;

    while (grep { is_alive($_) } @pids) {
        return 0 if time() > $end;
        sleep 0.01;
    }

    return 1;
}


sub stop_kafka {
    return if !$kafka_pid;

    kill('CONT', $kafka_pid);
    kill('KILL', $kafka_pid);
    waitpid($kafka_pid, 0);

    undef $kafka_pid;
}


sub check_stop {
    my $block = shift;

    my ($signal, $delivered) = split ' ', $block->stop_nginx;
    my $what = $block->name . " - stop_nginx - $signal";
    my $file = server_root() . '/logs/error.log';
    my $late = qr/exited on signal 9/;
    my ($before, $log, @took) = (0);

    $late = qr/$late| records are not acknowledged/ if $delivered;

    for my $attempt (1 .. 5) {
        start_again() if $attempt > 1;

        my $pid = slurp(server_root() . '/logs/nginx.pid') + 0;
        my $start = time();

        kill($signal, $pid);

        if (!are_gone($pid)) {
            fail("$what: nginx ends");
            return;
        }

        push @took, sprintf('%.2f s', time() - $start);

        $log = substr(slurp($file), $before);
        $before += length $log;

        last if $log !~ $late;
    }

    my @found = grep { /\[(?:alert|emerg)\]|$late/ } split /\n/, $log;

    is("@found", '', "$what took " . join(', ', @took));
}


sub start_again {
    my $root = server_root();

    system($Test::Nginx::Util::NginxBinary, '-p', "$root/", '-c',
           "$root/conf/nginx.conf") == 0
        or die "nginx does not start again\n";

    my $end = time() + 60;

    until (slurp("$root/logs/nginx.pid") =~ /\A\d+\n/ && ask('/t.txt')) {
        die "no answer of an nginx that was started again\n" if time() > $end;
        sleep 0.05;
    }
}


# not even a zombie: who reaps it is not nginx's matter

sub is_alive {
    my $pid = shift;

    return slurp("/proc/$pid/stat") =~ /\) [^Z]/;
}


sub slurp {
    my $path = shift;

    open(my $fh, '<', $path) or return '';
    local $/;

    return <$fh> // '';
}


1;
