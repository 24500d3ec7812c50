# Copyright (C) The nginx gateway modules authors

# A reload every second for a minute under load: no request fails, none is cut
# off, each has its event, all generations are closed, and old workers end.
#
# GW_RELOADS is how often, GW_RATE how many requests a second.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWMeter;
use GWTest;


my $RELOADS = $ENV{GW_RELOADS} || 60;

my $kafka = broker();
my $meter = GWMeter->new(kafka => $kafka, workers => 2,
                         journal => 'size=256m sync=50ms segment=64k');
my $traffic = $meter->traffic(rate => $ENV{GW_RATE} || 400, n => 24);

diag('Kafka is ' . $kafka->kind);

my %old;
my ($most, $next) = (0, 0);

for (1 .. $RELOADS) {
    my @workers = $meter->workers;

    $most = @workers if @workers > $most;
    @old{@workers} = (1) x @workers;

    # the pace, and no condition: those that are there may be older ones

    wait_for(sub { time >= $next && $traffic->count > 20 * $_ }, 'a second');
    $next = time + 1;

    kill('HUP', $meter->master);
    wait_for(sub { grep { !$old{$_} } $meter->workers }, 'new workers');
}

wait_for(sub { $meter->workers == 2 }, 'old workers to end', 120);
pass("$RELOADS reloads under load, at most $most workers at a time");

my $proof = $meter->finish;
my %how;

$how{$_->[0]}++ for $traffic->requests;

diag($proof->report);
diag(join ', ', map { "$how{$_} $_" } sort keys %how);

is_deeply([ $proof->problems ], [], 'nothing is lost, nothing counts twice');
is_deeply([ $meter->files ], [], 'nothing is left in the journal');
is($proof->count('unfinished'), 0, 'no request was cut off');
is($proof->count('generations'), $meter->workers_started,
   'each worker has its generation');
is($how{broken} // 0, 0, 'no client is turned away');
is($how{silent} // 0, 0, 'or waits in vain');
is_deeply([ grep { $_->[3] && $_->[3] != ($_->[2] eq 'no' ? 403 : 200) }
            $traffic->requests ], [], 'all are served');
is_deeply([ $meter->trouble ], [], 'no alert in the error log');

done_testing();
