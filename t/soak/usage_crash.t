# Copyright (C) The nginx gateway modules authors

# Workers are killed under load wherever they enter or leave a function of the
# usage module, in all its threads, also while they start, end, or drain what
# another one left.  In the end nothing is lost, nothing counts twice.
#
# GW_CRASHES is how many.  The modules are built apart, with a call to
# t/lib/crash.c at each function.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWMeter;
use GWTest;


my $CRASHES = $ENV{GW_CRASHES} || 1000;

my $build = GWTest::build_dir() . '/crash';
my $library = run_dir() . '/crash.so';
my $armed = GWTest::write_file('armed', '0');
my $log = run_dir() . '/crashes';

if ($ENV{TEST_NGINX_LOAD_MODULES} && !$ENV{NGINX_SRC}) {
    local $ENV{BUILD} = $build;
    local $ENV{CFLAGS} = '-O2 -g -finstrument-functions';
    delete local $ENV{MAKEFLAGS};

    system('make', '-s', '-C', $GWTest::ROOT, 'modules') == 0
        or die "cannot build the modules\n";
}

system($ENV{CC} || 'cc', '-shared', '-fPIC', '-O1', '-o', $library,
       "$GWTest::ROOT/t/lib/crash.c", '-ldl') == 0
    or die "cannot compile crash.c\n";

$ENV{TEST_NGINX_LOAD_MODULES} = join ' ', glob "$build/modules/*.so";

my $kafka = broker();
my $meter = GWMeter->new(
    kafka => $kafka, workers => 4, listen => 'reuseport',
    journal => 'size=256m sync=20ms segment=64k',
    env => { LD_PRELOAD => $library, CRASH_ARMED => $armed,
             CRASH_LOG => $log });
my $traffic = $meter->traffic(rate => 500, n => 24);

diag('Kafka is ' . $kafka->kind);

chmod 0666, $log if open(my $fh, '>>', $log);


sub arm {
    my ($text) = @_;

    open(my $fh, '+<', $armed) or die "$armed: $!\n";
    syswrite($fh, $text);
}


sub crashes {
    return scalar(() = GWTest::slurp($log) =~ /\n/g);
}


# [ process, where ] of each

sub places {
    my ($module) = glob "$build/modules/*usage*.so";
    my %name;

    for (split /\n/, `nm --defined-only $module`) {
        my ($address, undef, $name) = split / /;

        $name{hex $address} = $name;
    }

    return map {
        my ($pid, $address, $how) = split / /;
        [ $pid, "$how " . ($name{hex $address} // $address) ];
    } split /\n/, GWTest::slurp($log);
}


# where the owners of generations that are not as they should be were killed

sub suspects {
    my (@problems) = @_;

    my %place = map { @$_ } places();
    my %pid;

    for (split /\n/, $meter->access_log) {
        my ($generation, $pid) = /\A([0-9a-f]{16})-.* (\d+)\z/ or next;

        $pid{$generation} = $pid;
    }

    return map {
        my ($pid) = map { $pid{$_} // () } /([0-9a-f]{16})/;
        "$_: " . ($pid && $place{$pid} || 'not known') . "\n";
    } @problems;
}


my $start = time;
my $turns = 0;

arm(1);

# reloads and ends in between, so that all parts have their turn

while (crashes() < $CRASHES) {
    my $enough = crashes() + 40;
    my $end = time + 8;

    wait_for(sub { crashes() >= $enough || time > $end }, 'crashes');

    if (++$turns % 3 == 0) {
        kill('HUP', $meter->master);

    } elsif ($turns % 3 == 1) {
        kill('TERM', $_) for $meter->workers;

    } else {
        kill('QUIT', $meter->master);
        wait_for(sub { !GWTest::Gateway::is_alive($meter->master) },
                 'nginx to end', 60);
        $meter->{master} = undef;
        arm(0);
        $meter->start;
        arm(1);
    }
}

arm(0);

my $proof = $meter->finish;
my %where;

$where{$_->[1]}++ for places();

diag(sprintf('%d crashes at %d places in %.0f s', crashes(),
             scalar keys %where, time - $start));
note(map { "$where{$_} $_\n" } sort keys %where);
diag($proof->report);

is_deeply([ $proof->problems ], [], 'nothing is lost, nothing counts twice')
    or diag(suspects($proof->problems));
is_deeply([ $meter->files ], [], 'nothing is left in the journal');
is_deeply([ grep { !/exited on signal 9/ && !/ was locked by \d+/ }
            $meter->trouble ], [],
          'no alert in the error log');

done_testing();
