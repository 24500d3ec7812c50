# Copyright (C) The nginx gateway modules authors

# Kafka hangs, nginx ends, and its journal is copied: to another machine, or
# out of a container, whose memory is gone with it.  The nginx that comes next
# sends all of it, and no end of a generation becomes uncertain by that: the
# workers have written it down themselves.

use strict;
use warnings;

use Test::More;

use GWE2E qw(broker);
use GWMeter;
use GWTest;


my $kafka = broker();
my $meter = GWMeter->new(kafka => $kafka, workers => 2,
                         journal => 'size=256m sync=50ms segment=64k');

diag('Kafka is ' . $kafka->kind);

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


# another folder, with another inode: its tails would have another name

sub move {
    my $journal = $meter->journal;

    rename($journal, "$journal.old") or die "$journal: $!\n";
    system('cp', '-a', "$journal.old", $journal) == 0 or die "cp\n";
    system('rm', '-r', "$journal.old", glob $meter->tails . '/*') == 0
        or die "rm\n";
}


# Of how many generations the end is on disk, and of how many there is one.  A
# worker that the machine kept from it in its time has left it in memory.

sub closed {
    my $said = qx{$ENV{TEST_NGINX_BIN}/gw-journal verify --tail $_[0] $_[1]};

    return (scalar(() = $said =~ /, closed$/mg),
            scalar(() = $said =~ /: \w+, \d+ records/g));
}


# there a copy has no tails

my $none = run_dir() . '/none';

mkdir $none or die "$none: $!\n";

for my $signal (qw(QUIT TERM)) {
    my ($closed, $n);

    for (1 .. 5) {
        my $traffic = $meter->traffic(rate => 400, n => 8);

        wait_for(sub { $traffic->count >= 200 }, '200 answers');
        $kafka->signal('STOP');

        my $hung = $traffic->count;

        wait_for(sub { $traffic->count >= $hung + 200 }, '200 more');
        $traffic->stop if $signal eq 'QUIT';
        $meter->stop($signal);
        $traffic->stop;

        ($closed, $n) = closed($none, $meter->journal);

        move() if $closed == $n;

        $kafka->signal('CONT');
        $meter->start;
        $meter->wait_drained;

        last if $closed == $n;
    }

    ok($n >= 2, "$signal: both workers have left a journal");
    is($closed, $n, "$signal: with its end");
}

my $proof = $meter->finish;

diag($proof->report);
is_deeply([ $proof->problems ], [],
          'nothing is lost, nothing counts twice, no end is uncertain');
is_deeply([ grep { !/exited on signal 9/ && !/ was locked by \d+/ }
            $meter->trouble ], [],
          'no alert in the error log');

done_testing();
