# Copyright (C) The nginx gateway modules authors

# Three real brokers, of which two have to acknowledge: leaders move, hang,
# are killed in the middle of a batch, are too few; requests go on, and each
# event arrives.

use strict;
use warnings;

use Test::More;

use GWE2E;
use GWKafka;
use GWTest;


plan skip_all => 'no Kafka'
    if ($ENV{GW_KAFKA} // '') eq 'mock'
       || system("$GWTest::ROOT/tools/kafka-libs.sh > /dev/null 2>&1") != 0;

my $kafka = GWKafka->new('kafka-cluster');
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');

END {
    for (grep { $kafka && $kafka->node($_)->running } 1 .. 3) {
        $kafka->node($_)->signal('CONT');
    }
}

my $gw = GWTest::Gateway->new(
    redis => $redis, upstream => $upstream,
    edit => sub {
        my $settings = $kafka->settings . ' gw_usage_kafka_set linger.ms 20;';

        s/gw_usage_kafka\s[^;]*;/$settings/;
        s/worker_processes\s+auto/worker_processes 4/;
    });

my $gold = token(sub => 'bob', plan => 'gold');
my @workers = workers_of($gw, 4);


# all the time, from before the trouble to when nothing more happens, and at
# least so long that events have to be delivered in the middle of it

sub while_requests_flow {
    my ($title, $n, $trouble, $repair, $over) = @_;

    my ($done, $repaired, $last) = (0, 0, 0);

    my @r = load($gw, 4, sub {
        return !($last && @_ >= $last) && [ '/orders/1', token => $gold ];

    }, sub {
        if (!$done && @_ >= 50) {
            $trouble->();
            $done = 1;

        } elsif ($done && !$repaired && @_ >= $n) {
            $repair->();
            $repaired = 1;

        } elsif ($repaired && !$last && @_ % 50 == 0 && $over->()) {
            $last = @_ + 50;
        }
    });

    is(scalar(grep { $_->{status} != 200 } @r), 0,
       "$title: " . @r . ' requests pass');
    is_deeply([ $gw->workers ], \@workers, "$title: workers are alive");
    is_deeply([ problems($kafka, $gw) ], [], "$title: each event arrives");
}


# who leads most partitions, or any

sub leader {
    my %leaders = $kafka->leaders;

    return $kafka->node((sort values %leaders)[0]);
}


sub moved_from {
    my ($node) = @_;

    my ($id) = $node->dir =~ m{/(\d)\z};

    return sub {
        my %leaders = $kafka->leaders;

        return %leaders && !grep { $_ == $id } values %leaders;
    };
}


while_requests_flow('calm', 100, sub { }, sub { }, sub { 1 });
$kafka->wait_well;

my $node = leader();

while_requests_flow('a leader ends in order', 300,
                    sub { $node->stop }, sub { }, moved_from($node));

while_requests_flow('it is back, and leads again', 100,
                    sub { }, sub { $node->start },
                    sub { my $moved = moved_from($node)->(); !$moved });
$kafka->wait_well;

$node = leader();

while_requests_flow('a leader is killed', 300,
                    sub { $node->signal('KILL') }, sub { },
                    moved_from($node));

while_requests_flow('started again', 100, sub { }, sub { $node->start },
                    sub { 1 });
$kafka->wait_well;

# what it has in hand was perhaps stored, and perhaps not

$node = leader();

while_requests_flow('a leader hangs, is killed and started', 200,
                    sub { $node->signal('STOP') },
                    sub { $node->signal('KILL'); $node->start },
                    sub { 1 });
$kafka->wait_well;

while_requests_flow('one is not enough', 300,
                    sub { $kafka->node($_)->signal('KILL') for 2, 3 },
                    sub { $kafka->node($_)->start for 2, 3 }, sub { 1 });

unlike($gw->error_log, qr/refused for ever/, 'nothing was given up');
unlike($gw->error_log, qr/min\.insync\.replicas/, 'two in sync are right');

$gw->stop;
is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');

done_testing();
