# Copyright (C) The nginx gateway modules authors

# Kafka is away for longer than messages can be under way, comes back, is
# restarted in the middle of what it gets then; it hangs, is slow, and refuses
# a producer again and again.  All events arrive, under one id each, and no
# sequence is missing.
#
# Times are shown, and not tested.  GW_EVENTS is how many pile up.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWLoad qw(pipelined);
use GWMeterFault;
use GWTest;


# twice as many as may be under way, of each worker

my $FLYING = 16384;
my $WORKERS = 2;
my $EVENTS = $ENV{GW_EVENTS} || 2 * $WORKERS * $FLYING + 10_000;
my $ATTEMPTS = 5;

my $kafka = broker();
my $real = $kafka->kind ne 'mock-kafka';

diag('Kafka is ' . $kafka->kind);

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


sub answers {
    my ($traffic, $n) = @_;

    my $all = $traffic->count + $n;

    wait_for(sub { $traffic->count >= $all }, "$n answers", 120);
}


sub all_arrives {
    my ($title, $meter) = @_;

    my $proof = $meter->finish;

    diag("$title: " . $proof->report);
    is_deeply([ $proof->problems ], [],
              "$title: nothing is lost, nothing counts twice");
    is_deeply([ $meter->files, map { $meter->aside($_) } qw(bad dead) ], [],
              "$title: nothing is left in the journal");
    is_deeply([ $meter->trouble ], [], "$title: no alert in the error log");

    return $proof;
}


# how many requests the access log has: pipelined() knows no ids

sub ask {
    my ($meter, $n) = @_;

    my $statuses = pipelined($meter, $n, sub { '/here' }, 8, 64);

    is_deeply($statuses, { 200 => $n }, "$n requests are answered");
}


# how many segments are on disk, and how many of them in memory as well

sub segments {
    my ($meter) = @_;

    my @names = grep { /\.seg\z/ } $meter->files;
    my @dirs = map { m{(.*)/} } @names;
    my $tails = grep { index($_, $meter->tails) == 0 } @dirs;

    return (@names - $tails, $tails);
}


SKIP: {
    # the mock keeps 5 MB, which is gone before all is read

    skip('a long outage needs a real Kafka, that keeps what it has got', 1)
        if !$real;

    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => $WORKERS, listen => 'reuseport',
        journal => 'size=256m sync=50ms segment=1m',
        server => 'keepalive_requests 1000000;');

    answers(my $before = $meter->traffic(rate => 200, n => 8), 100);
    $before->stop;

    $kafka->signal('KILL');

    my $start = time;
    my $events = 0;

    # how the kernel spreads connections over workers is its own matter

    wait_for(sub {
        ask($meter, $events ? 20_000 : $EVENTS);
        $events += $events ? 20_000 : $EVENTS;

        eval {
            wait_for(sub { $meter->metric('in_flight') >= $WORKERS * $FLYING },
                     'messages under way', 10);
        };
    }, 'each worker to have enough of them', 400);

    diag(sprintf('%d events pile up in %.1f s', $events, time - $start));

    # what is in flight is still fed from memory, the rest from the directory

    my ($disk, $tails);

    ok(eval {
        wait_for(sub {
            ($disk, $tails) = segments($meter);
            $tails <= 4 * $WORKERS;
        }, 'tails to be released');
    }, 'tails are released while Kafka is away');

    diag("$disk segments, $tails of them in memory as well, "
         . $meter->metric('in_flight') . ' messages under way');
    cmp_ok($disk, '>', 20, 'segments are on disk');

    is($meter->metric('in_flight'), $WORKERS * $FLYING,
       'no more are under way than may be');

    # it comes back, and is killed in the middle of what it gets; more piles up
    # for another attempt if that was too late

    my $done = $meter->metric('acknowledged_total');

    for my $attempt (1 .. $ATTEMPTS) {
        my $before = $done;

        $kafka->start;

        wait_for(sub { $meter->metric('acknowledged_total') > $before + 2000 },
                 'messages to be delivered');
        $kafka->signal('KILL');

        $done = $meter->metric('acknowledged_total');
        diag("killed again when $done were acknowledged");
        last if $done < $events || $attempt == $ATTEMPTS;

        ask($meter, $EVENTS);
        $events += $EVENTS;
    }

    cmp_ok($done, '<', $events, 'it was in the middle');

    $kafka->start;

    $start = time;
    all_arrives('a long outage', $meter);
    diag(sprintf('all was delivered after %.1f s', time - $start));
}


{
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => $WORKERS, listen => 'reuseport',
        journal => 'size=256m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);

    answers($traffic, 200);

    for (1 .. 3) {
        $kafka->signal('STOP');
        answers($traffic, 400);
        $kafka->signal('CONT');
        answers($traffic, 200);
    }

    $traffic->stop;
    all_arrives('hung, three times', $meter);
}


# of its own: errors wait for those who ask, whoever that is

my $mock = GWTest::Server->new('mock-kafka', 'slow-kafka');

{
    my $meter = GWMeterFault->new(
        kafka => $mock, workers => $WORKERS, listen => 'reuseport',
        journal => 'size=256m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);

    answers($traffic, 50);
    $mock->order('rtt all 500');
    answers($traffic, 1200);

    # each answer takes as long as many events

    ok(eval { wait_for(sub { $meter->metric('pending') > 0 }, 'some') },
       'slow: events wait') or diag($@);
    $traffic->stop;
    $mock->order('rtt all 0');
    all_arrives('slow', $meter);
}

{
    # The mock does not look at sequences: with more than one request under
    # way the success of a second one would count for the first, too.

    my $meter = GWMeterFault->new(
        kafka => $mock, workers => $WORKERS, listen => 'reuseport',
        journal => 'size=256m sync=50ms segment=64k',
        http => 'gw_usage_kafka_set max.in.flight 1;');
    my $traffic = $meter->traffic(rate => 300, n => 8);

    answers($traffic, 100);

    my @errors = qw(OUT_OF_ORDER_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH
                    UNKNOWN_PRODUCER_ID OUT_OF_ORDER_SEQUENCE_NUMBER
                    OUT_OF_ORDER_SEQUENCE_NUMBER);

    for (@errors) {
        my $replaced = $meter->metric('producers_replaced_total');

        $mock->order("error Produce $_");

        # not each of them is fatal at once

        wait_for(sub {
            $meter->metric('producers_replaced_total') > $replaced
        }, 'a new producer') if /ORDER/;

        answers($traffic, 150);
    }

    $mock->order('error Produce ' . 'NOT_LEADER_FOR_PARTITION ' x 5);
    answers($traffic, 200);

    my $replaced = $meter->metric('producers_replaced_total');

    diag("$replaced producers were replaced");
    cmp_ok($replaced, '>=', 3, 'fatal errors: producers are replaced');
    $traffic->stop;
    all_arrives('fatal errors', $meter);
}

done_testing();
