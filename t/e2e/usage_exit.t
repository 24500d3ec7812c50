# Copyright (C) The nginx gateway modules authors

# Kafka is dead, or hangs: nginx ends in its time all the same, old workers
# end after a reload, and when Kafka is back all events arrive.
#
# Times are shown, and not tested: a worker that is late is killed by nginx's
# master, some 1.5 s after TERM, which is.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWMeter;
use GWTest;


my $kafka = broker();
my $mock = $kafka->kind eq 'mock-kafka';
my $meter = GWMeter->new(kafka => $kafka, workers => 2,
                         journal => 'size=256m sync=50ms segment=64k');

diag('Kafka is ' . $kafka->kind);

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


# the mock would forget its messages

my %fail = (
    hung => sub { $kafka->signal('STOP') },
    dead => sub { $mock ? $kafka->order('down all') : $kafka->signal('KILL') },
);

my %repair = (
    hung => sub { $kafka->signal('CONT') },
    dead => sub { $mock ? $kafka->order('up all') : $kafka->start },
);

my $failed;


sub down {
    my ($how) = @_;

    $fail{$how}->() if !$failed;
    $failed = $how;
}


sub up {
    $repair{$failed}->() if $failed;
    undef $failed;
}


sub traffic {
    my ($n) = @_;

    my $traffic = $meter->traffic(rate => 400, n => 8);

    wait_for(sub { $traffic->count >= $n }, "$n answers");

    return $traffic;
}


# while requests are under way; the part of the error log since then

sub ends {
    my ($signal) = @_;

    my $before = length $meter->error_log;
    my $traffic = traffic(200);

    # QUIT waits for those

    $traffic->stop if $signal eq 'QUIT';

    my $start = time;

    $meter->stop($signal);

    my $took = sprintf('%.2f s', time - $start);

    $traffic->stop;

    return ($took, substr($meter->error_log, $before));
}


for my $how (qw(hung dead)) {
    # one that has been connected, one that never was

    for my $connected (1, 0) {
        my $when = "Kafka $how, " . ($connected ? 'was there before'
                                                : 'was never there');

        for my $signal (qw(QUIT TERM)) {
            my (@took, $peace);

            # once in a while a busy machine is too slow

            for (1 .. 5) {
                if ($connected) {
                    up();
                    $meter->start if !$meter->master;
                    traffic(200)->stop;
                    down($how);

                } else {
                    down($how);
                    $meter->start;
                }

                my ($took, $log) = ends($signal);

                push @took, $took;
                $peace = $log !~ /exited on signal|exited with code [1-9]/;
                last if $peace;
            }

            ok($peace, "$when: nginx ends by $signal");
            diag("$when: $signal took ", join ', ', @took);
        }
    }

    # an old worker waits for nothing

    up();
    $meter->start;
    traffic(200)->stop;
    down($how);

    my $traffic = traffic(200);
    my @old = $meter->workers;
    my $start = time;

    kill('HUP', $meter->master);
    $traffic->stop;
    wait_for(sub {
        !grep { GWTest::Gateway::is_alive($_) } @old;
    }, 'old workers to end', 120);

    pass("Kafka $how: old workers end after a reload");
    diag(sprintf('Kafka %s: old workers took %.2f s', $how, time - $start));
    up();

    $meter->steady;
    $meter->wait_drained;
    $meter->stop;
}

$meter->start;

my $proof = $meter->finish;

diag($proof->report);
is_deeply([ $proof->problems ], [], 'nothing is lost, nothing counts twice');
is_deeply([ $meter->files ], [], 'nothing is left in the journal');
is_deeply([ grep { !/exited on signal 9/ && !/ was locked by \d+/ }
            $meter->trouble ], [],
          'no alert in the error log');

done_testing();
