# Copyright (C) The nginx gateway modules authors

# Events that a real Kafka refuses for ever, since they are too large for the
# topic: they are in the dead letters, those and no others, and everything
# else arrives, also when nginx ends, and from what a killed one left.  When
# the topic is changed the dead letters can be sent.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWMeterFault;
use GWTest;


my $kafka = broker();

plan skip_all => 'the mock has no limits of topics'
    if $kafka->kind eq 'mock-kafka';

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


# An event has some 450 bytes, a large one a thousand more.  Messages are
# alone only for a minute after the first refusal: a batch of small ones has
# to be below the limit, too.

my $LIMIT = 1200;
my $LARGE = 'l' x 1000;


sub new_meter {
    my ($name, %arg) = @_;

    return GWMeterFault->new(
        name => $name, kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=256m sync=50ms segment=64k',
        topic => { 'max.message.bytes' => $LIMIT },
        http => 'gw_usage_kafka_set compression.codec none;'
                . 'gw_usage_kafka_set batch.size 1000;',
        server => 'gw_usage_field more $http_x_more;', %arg);
}


# requests with large events, one by one: their ids

sub large {
    my ($meter, $n) = @_;

    return map {
        my $r = $meter->get('/here', headers => [ 'X-More' => $LARGE ]);

        $r->{headers}{'x-request-id'};
    } 1 .. $n;
}


sub answers {
    my ($traffic, $n) = @_;

    my $all = $traffic->count + $n;

    wait_for(sub { $traffic->count >= $all }, "$n answers", 120);
}


# request ids of what is in the dead letters, without repetitions

sub dead {
    my ($meter) = @_;

    my ($said, $status) = $meter->tool('cat', '--dead');
    my %found = map { ($_ => 1) } $said =~ /"request_id":"(\w+)"/g;

    return sort keys %found;
}


# A broker learns of a change some time after it was made.

sub replay_dead {
    my ($title, $meter) = @_;

    my $said;

    $meter->change_topic('max.message.bytes' => 100_000);

    ok(eval {
        wait_for(sub {
            ($said, my $status) = $meter->tool('replay', '--dead', '-b',
                                               $kafka->address);
            $status == 0;
        }, 'dead letters to be sent');
    }, "$title: dead letters are sent") or diag($said);
}


# marks are small, all that is missing has to be dead

sub check {
    my ($title, $meter, @large) = @_;

    my $proof = $meter->finish;
    my $losses = $meter->losses($proof);
    my @dead = dead($meter);
    my %id = map { (split / /)[1, 0] } split /\n/, $meter->access_log;

    diag("$title: " . scalar(@large) . ' refused, ' . scalar(@dead)
         . ' dead letters, ' . $proof->report =~ s/.*\n//sr);

    is_deeply(\@dead, [ sort @large ], "$title: the dead letters are those");
    is_deeply([ sort keys %{$losses->{ids}} ], [ sort map { $id{$_} } @large ],
              "$title: and nothing else is missing in Kafka");
    is($losses->{dropped}, 0, "$title: none is dropped");
    is_deeply($losses->{others}, [], "$title: all others arrive");
    is_deeply([ $meter->files ], [], "$title: nothing else is left");
    is_deeply([ $meter->trouble ], [], "$title: no alert in the error log");
}


# among others, at random

{
    my $title = 'single events';
    my $meter = new_meter('single');
    my $traffic = $meter->traffic(rate => 200, n => 8);
    my @large;

    answers($traffic, 50);

    for (1 .. 10) {
        push @large, large($meter, 3);
        answers($traffic, 30);
    }

    $traffic->stop;

    ok($meter->metrics_are(dead_total => scalar @large),
       "$title: the metric counts them");

    # the last ones are refused when nginx ends already

    push @large, large($meter, 5);
    check($title, $meter, @large);

    # with the reason gone they can be sent

    replay_dead($title, $meter);

    my $proof = $meter->prove(GWMeterProof->new);

    is_deeply([ $proof->problems ], [], "$title: and nothing is missing");
}


# what a killed nginx left

{
    my $title = 'from an orphan';
    my $meter = new_meter('orphan');
    my $traffic = $meter->traffic(rate => 200, n => 8);
    my @large;

    answers($traffic, 50);
    $kafka->signal('STOP');

    for (1 .. 5) {
        push @large, large($meter, 4);
        answers($traffic, 40);
    }

    $traffic->stop;
    wait_for(sub { $meter->metric('requests') == 0 }, 'no request', 120);
    $meter->kill_all('KILL');
    $kafka->signal('CONT');
    $meter->start;

    ok($meter->metrics_are(dead_total => scalar @large),
       "$title: the metric counts them");
    check($title, $meter, @large);
}


# not one of them is taken, until somebody sees it

{
    my $title = 'a topic that refuses all';
    my $n = 300;
    my $meter = new_meter('all', topic => { 'max.message.bytes' => 100 });

    my $start = time;
    my @ids = map { $_->{headers}{'x-request-id'} }
              map { $meter->get('/here') } 1 .. $n;

    # marks as well

    ok(eval {
        wait_for(sub { $meter->metric('pending') == 0 }, 'the journal', 240);
    }, "$title: nothing waits") or diag($@);

    my $took = time - $start;

    cmp_ok($meter->metric('dead_total'), '>=', $n, "$title: all are counted");
    diag(sprintf('%s: %d dead letters in %.1f s', $title,
                 $meter->metric('dead_total'), $took));

    $meter->stop_empty;
    is_deeply([ dead($meter) ], [ sort @ids ], "$title: all are dead letters");
    is_deeply([ $meter->files ], [], "$title: nothing else is left");

    replay_dead($title, $meter);

    my $proof = $meter->prove(GWMeterProof->new);

    is_deeply([ $proof->problems ], [], "$title: and nothing is missing");
}

done_testing();
