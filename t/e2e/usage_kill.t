# Copyright (C) The nginx gateway modules authors

# nginx processes are killed at random, a hundred times, while requests of all
# kinds flow to a real Kafka.  In the end every request that a client saw
# answered, that reached an upstream, or that is in the access log is in Kafka
# under one id, and every generation is complete.
#
# GW_KILLS is how often, GW_SEED a number from which the same sequence of
# deaths follows, GW_RATE how many requests a second.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWMeter;
use GWTest;


my $KILLS = $ENV{GW_KILLS} || 100;
my $SEED = $ENV{GW_SEED} || int(rand 1_000_000);
my $RATE = $ENV{GW_RATE} || 400;

my $WORKERS = 4;

# in a hundred

my %PARTS = (
    'one worker' => 30,
    'two workers' => 14,
    'all workers' => 9,
    'the master and its workers' => 9,
    'the master, its workers later' => 6,
    'a worker as it starts' => 8,
    'a worker as it ends' => 8,
    'one worker by TERM' => 3,
    'all by TERM' => 4,
    'one of many in a reload' => 5,
    'one after the other' => 4,
);

my $kafka = broker();
my $meter = GWMeter->new(kafka => $kafka, workers => $WORKERS,
                         listen => 'reuseport',
                         journal => 'size=256m sync=50ms segment=64k');
my $traffic = $meter->traffic(rate => $RATE, n => 24, seed => $SEED);

diag('Kafka is ' . $kafka->kind . ", GW_SEED=$SEED");
srand($SEED);

my %deaths = (
    'one worker' => sub {
        $meter->kill_workers(KILL => some(1));
    },

    'two workers' => sub {
        $meter->kill_workers(KILL => some(2));
    },

    'all workers' => sub {
        $meter->kill_workers(KILL => some($WORKERS));
    },

    'the master and its workers' => sub {
        $meter->kill_all('KILL');
        $meter->start;
    },

    # they serve on, also beside the workers of a new master

    'the master, its workers later' => sub {
        my $master = $meter->master;
        my @others = grep { $_ != $master } $meter->survivors;
        my $later = rand() < 0.5;

        kill('KILL', $master);
        wait_for(sub { !GWTest::Gateway::is_alive($master) },
                 'the master to be killed');

        answers(50);
        $meter->start if $later;
        answers(50) if $later;

        kill(rand() < 0.5 ? 'KILL' : 'TERM', @others);
        wait_for(sub {
            !grep { GWTest::Gateway::is_alive($_) } @others;
        }, 'processes without a master to end');

        $meter->start if !$later;
    },

    'a worker as it starts' => sub {
        my %old = map { $_ => 1 } children();
        my @new;

        kill('KILL', some(1));

        # it is too short a time to sleep in between

        for (1 .. 100_000) {
            last if @new = grep { !$old{$_} } children();
        }

        soon();
        $meter->kill_workers(KILL => @new);
    },

    'a worker as it ends' => sub {
        my ($worker) = some(1);

        kill(rand() < 0.5 ? 'QUIT' : 'TERM', $worker);
        soon();
        $meter->kill_workers(KILL => $worker);
    },

    'one worker by TERM' => sub {
        $meter->kill_workers(TERM => some(1));
    },

    'all by TERM' => sub {
        $meter->kill_all('TERM');
        $meter->start;
    },

    'one of many in a reload' => sub {
        my @old = $meter->workers;

        kill('HUP', $meter->master);
        wait_for(sub { $meter->workers > $WORKERS }, 'new workers')
            if rand() < 0.7;
        $meter->kill_workers(KILL => (shuffle($meter->workers))[0]);

        wait_for(sub {
            !grep { GWTest::Gateway::is_alive($_) } @old;
        }, 'old workers to end', 120);
    },

    # who adopts is killed, too

    'one after the other' => sub {
        $meter->kill_workers(KILL => some(1)) for 1 .. 3;
    },
);


sub shuffle {
    my @list = @_;

    for (reverse 1 .. $#list) {
        my $i = int rand($_ + 1);
        @list[$_, $i] = @list[$i, $_];
    }

    return @list;
}


sub some {
    my ($n) = @_;

    return (shuffle($meter->workers))[0 .. $n - 1];
}


sub children {
    my $master = $meter->master;

    return split ' ', GWTest::slurp("/proc/$master/task/$master/children");
}


# somewhere in what takes some milliseconds

sub soon {
    select(undef, undef, undef, rand() ** 2 * 0.1);
}


# the pace: it goes on after so many, or without them if there are few

sub answers {
    my ($n) = @_;

    my $all = $traffic->count + $n;
    my $end = time + 2;

    wait_for(sub { $traffic->count >= $all || time > $end }, 'answers');
}


# each way at least once, then in their parts

my @ways = shuffle(sort keys %PARTS);

push @ways, shuffle(map { my $way = $_; ($way) x $PARTS{$way} }
                    sort keys %PARTS) while @ways < $KILLS;
@ways = shuffle(@ways[0 .. $KILLS - 1]);

my (%killed, %slow);
my $start = time;

answers(200);

is(scalar(keys %{$meter->generations}), $WORKERS,
   'each worker has files in the journal');

for my $way (@ways) {
    $deaths{$way}->();
    $killed{$way}++;
    answers($RATE * (0.1 + rand 0.9));
}

diag(sprintf('%d deaths in %.0f s: %s', $KILLS, time - $start,
             join ', ', map { "$killed{$_} x $_" } sort keys %killed));

is(scalar(@ways), $KILLS, "$KILLS deaths under load");


# the proof

my $proof = $meter->finish;
my @left = $meter->files;
my %how;

$how{"$_->[0]"}++ for $traffic->requests;
$how{"$_->[2]: $_->[0]" . ($_->[3] ? " $_->[3]" : '')}++
    for $traffic->requests;

diag($proof->report);
diag(join ', ', map { "$how{$_} $_" } sort keys %how);
diag($meter->workers_started . ' workers were started, drained after '
     . $meter->rounds . ' further starts, all in '
     . sprintf('%.0f s', time - $start));

is_deeply([ $proof->problems ], [], 'nothing is lost, nothing counts twice')
    or diag('GW_SEED=' . $SEED);

is_deeply(\@left, [], 'nothing is left in the journal');

cmp_ok($proof->count('answered'), '>', 10 * $KILLS, 'requests were answered');
cmp_ok($proof->count('unfinished'), '>', 0, 'some were cut off');
cmp_ok($proof->count('adopted'), '>', 0, 'generations were adopted');
cmp_ok($proof->count('closed'), '>', 0, 'others closed');

# a master may be killed before it tells of one

my $untold = 0;

$untold += $killed{$_} // 0 for grep { /master/ } keys %PARTS;

cmp_ok($proof->count('generations'), '<=', $meter->workers_started + $untold,
       'no other process has a generation');
is($how{silent} // 0, 0, 'no client waited in vain');

# what is known of killed processes, also what they had locked

is_deeply([ grep { !/exited on signal 9/ && !/ was locked by \d+/ }
            $meter->trouble ], [],
          'no alert in the error log');

done_testing();
