# Copyright (C) The nginx gateway modules authors

# nginx is replaced by another binary under load, and the change taken back;
# it gets more and fewer workers; and it runs as one process.  Each time all
# events arrive.

use strict;
use warnings;

use Test::More;

use GWE2E qw(broker);
use GWMeter;
use GWTest;


# nginx starts the new binary without the environment of the old one

plan(skip_all => 'a sanitizer is preloaded, which an upgrade forgets')
    if grep { GWTest::slurp($_) =~ /__asan_init/ }
            split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';

my $kafka = broker();
my $meter = GWMeter->new(kafka => $kafka, workers => 2,
                         journal => 'size=256m sync=50ms segment=64k');
my $traffic = $meter->traffic(rate => 300, n => 16);
my $pid_file = $meter->dir . '/logs/nginx.pid';

diag('Kafka is ' . $kafka->kind);


sub answers {
    my ($n) = @_;

    my $all = $traffic->count + $n;

    wait_for(sub { $traffic->count >= $all }, "$n answers");
}


# starts the binary again beside the one that runs, and returns both masters;
# what was there before is known

my @before;

sub upgrade {
    my $old = $meter->master;

    answers(100);
    @before = $meter->survivors;
    kill('USR2', $old);

    my $new = wait_for(sub {
        GWTest::slurp($pid_file) =~ /\A(\d+)\n/ && $1 != $old && $1
    }, 'the new master');

    $meter->{master} = $new;
    $meter->steady;
    answers(100);

    return ($old, $new);
}


sub ended {
    my ($what, @pids) = @_;

    wait_for(sub { !grep { GWTest::Gateway::is_alive($_) } @pids },
             "$what to end", 120);
    pass("$what ended");
}


# the old one goes

for my $round (1, 2) {
    my ($old, $new) = upgrade();

    kill('QUIT', $old);
    ended('the old nginx', @before);
    answers(100);
}


# the new one goes, after it was alone

{
    my ($old, $new) = upgrade();

    kill('WINCH', $old);
    $meter->{master} = $old;
    wait_for(sub { !$meter->workers }, 'the old workers to end', 120);
    answers(100);

    my @new = ($new, $meter->workers_of($new));

    kill('HUP', $old);
    $meter->steady;
    kill('QUIT', $new);
    ended('the new nginx', @new);
    answers(100);
    wait_for(sub {
        GWTest::slurp($pid_file) =~ /\A$old\n/
    }, 'the pid file of the old one');
}


# more workers, and fewer

for my $n (5, 1, 3) {
    is(scalar($meter->set_workers($n)), $n, "$n workers");
    answers(100);
}

my $proof = $meter->finish;

diag($proof->report);
is_deeply([ $proof->problems ], [], 'all of them: nothing is lost');
is_deeply([ $meter->files ], [], 'nothing is left');
is($proof->count('unfinished'), 0, 'no request was cut off');
is($proof->count('generations'), $meter->workers_started,
   'each worker has its generation');


# one process

$meter->single(1);

for my $signal (qw(QUIT TERM KILL)) {
    $meter->start;
    $traffic = $meter->traffic(rate => 200, n => 8);
    answers(200);

    if ($signal eq 'KILL') {
        $meter->kill_all('KILL');
        pass('a single process is killed');

    } else {
        $meter->stop($signal);
        pass("a single process ends by $signal");
    }

    $traffic->stop;
}

$meter->start;
$proof = $meter->finish;

diag($proof->report);
is_deeply([ $proof->problems ], [], 'as one process: nothing is lost');
is_deeply([ $meter->files ], [], 'nothing is left');

$meter->single(0);
is_deeply([ grep { !/exited on signal 9/ } $meter->trouble ], [],
          'no alert in the error log');

done_testing();
