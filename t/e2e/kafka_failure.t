# Copyright (C) The nginx gateway modules authors

# Kafka is not there yet, hangs, is killed, and comes back: requests go on,
# and their events arrive, each once.  With Kafka dead, nginx ends all the
# same.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E;
use GWTest;


my $kafka = broker();
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');
my $mock = $kafka->kind eq 'mock-kafka';

note('Kafka is ' . $kafka->kind);

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


# the mock would forget its messages

sub down {
    $mock ? $kafka->order('down all') : $kafka->signal('KILL');
}


sub up {
    $mock ? $kafka->order('up all') : $kafka->start;
}


down();

my $gw = GWTest::Gateway->new(
    redis => $redis, kafka => $kafka, upstream => $upstream,
    edit => sub { s/worker_processes  auto/worker_processes  2/ });

my $gold = token(sub => 'bob', plan => 'gold');
my @workers = workers_of($gw, 2);


sub requests {
    my ($n) = @_;

    return map { [ "/orders/$_", token => $gold ] } 1 .. $n;
}


sub all_pass {
    my ($when, @r) = @_;

    is(scalar(grep { $_->{status} != 200 } @r), 0,
       "$when: " . @r . ' requests pass');
    is_deeply([ $gw->workers ], \@workers, "$when: workers are alive");
}


# requests all the time, with Kafka as it is, during the failure, after it

sub while_requests_flow {
    my ($when, $fail, $repair) = @_;

    my $failed = 0;
    my $repaired = 0;

    my @r = load($gw, 4, sub {
        return @_ < 300 && (requests(1))[0];

    }, sub {
        if (!$failed && @_ >= 50) {
            $fail->();
            $failed = 1;
        }

        # until then nothing can have been delivered

        if ($repair && !$repaired && @_ >= 250) {
            $repair->();
            $repaired = 1;
        }
    });

    all_pass($when, @r);
}


all_pass('not there yet', at_once($gw, requests(50)));
up();
is_deeply([ event_problems($gw, $kafka) ], [],
          'started: every event arrives once');

while_requests_flow('hangs', sub { $kafka->signal('STOP') },
                    sub { $kafka->signal('CONT') });
is_deeply([ event_problems($gw, $kafka) ], [],
          'goes on: every event arrives once');

while_requests_flow('killed', \&down);
up();
is_deeply([ event_problems($gw, $kafka) ], [],
          'back: every event arrives once');


# librdkafka may be woken late, which saves time, but requests are not

sub slack {
    my ($thread) = @_;

    open(my $fh, '<', "/proc/$thread/timerslack_ns") or return undef;
    return <$fh>;
}


SKIP: {
    my $default = slack($gw->master);

    skip('not allowed to see the slack of timers', 2) if !defined $default;

    my (%late, %other);

    for my $thread (map { glob("/proc/$_/task/*") } @workers) {
        my $name = GWTest::slurp("$thread/comm");
        my $slack = slack($thread =~ s,.*/,,r) // next;

        $name =~ /\Ardk:/ ? $late{$slack}++ : $other{$slack}++;
    }

    is_deeply([ keys %late ], [ "1000000\n" ], 'threads of librdkafka: 1 ms');
    is_deeply([ keys %other ], [ $default ], 'those of nginx: the usual');
}


# nginx ends, though it has events that it can't deliver: the next one does

$kafka->signal('STOP');

my %killed = (QUIT => 1, TERM => 1);

for my $signal ('QUIT', ('TERM') x 5) {

    # The master kills workers some 1.5 s after TERM: one that was in its time
    # may be taken for late by a machine that is busy.

    next if !$killed{$signal};

    my $log = $gw->error_log;

    all_pass("ends by $signal", at_once($gw, requests(20)));

    my $start = time;

    $gw->stop($signal);
    note(sprintf('%s took %.2f s', $signal, time - $start));

    $log = substr($gw->error_log, length $log);
    $killed{$signal} = $log =~ /exited on signal 9/;

    if (!$killed{$signal}) {
        my $left = 0;

        # marks are among them

        $left += $_ for $log =~ /(\d+) records are not acknowledged/g;
        cmp_ok($left, '>=', 20, "$signal: the log tells how many are left");
    }

    unlike($log, qr/exited on signal (?!9)/, "$signal: in peace");

    $gw->start;
    @workers = workers_of($gw, 2);
}

is_deeply([ grep { $killed{$_} } sort keys %killed ], [],
          'workers end in their time');

# what came to Kafka while it hung may come again

$kafka->signal('CONT');
is_deeply([ grep { !/\A[2-9] events / } event_problems($gw, $kafka) ], [],
          'every event arrives');

$gw->stop('TERM');
is_deeply([ grep { !/exited on signal 9/ } trouble_in($gw) ], [],
          'no alert in the error log');

done_testing();
