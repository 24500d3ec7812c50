# Copyright (C) The nginx gateway modules authors

# A power cut: of the journal there is what had been synced, nothing of its
# tails.  All that was synced arrives, what was logged before the sync before
# the last one was synced, and marks tell which generations may lack their
# end.
#
# t/lib/powercut.c knows what was synced.  Kafka hangs before every other cut.

use strict;
use warnings;

use File::Copy qw(copy);
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(broker);
use GWMeter;
use GWMeterProof;
use GWTest;


my $CUTS = $ENV{GW_CUTS} || 5;
my $SEED = $ENV{GW_SEED} || int(rand 1_000_000);

my $CONNECTIONS = 16;
my $HEADER = 1024;
my $SYNC = 200;        # ms

my $synced = run_dir() . '/synced';
my $library = run_dir() . '/powercut.so';

mkdir $synced or die "$synced: $!\n";
chmod 0777, $synced;

system($ENV{CC} || 'cc', '-shared', '-fPIC', '-O1', '-o', $library,
       "$GWTest::ROOT/t/lib/powercut.c", '-ldl') == 0
    or die "cannot compile powercut.c\n";

my $kafka = broker();
my $meter = GWMeter->new(
    name => 'power', kafka => $kafka, workers => 2, listen => 'reuseport',
    journal => "size=256m sync=${SYNC}ms segment=256k",
    main => "env SYNCED;\nenv SYNCED_OF;",
    env => {
        LD_PRELOAD => $library,
        SYNCED => $synced,
        SYNCED_OF => run_dir() . '/power/journal',
        ASAN_OPTIONS => ($ENV{ASAN_OPTIONS} // '')
                        . ',verify_asan_link_order=0',
    });

diag('Kafka is ' . $kafka->kind . ", GW_SEED=$SEED");
srand($SEED);

my ($traffic, %owed, %cut, %logged_at);


# what the log of syncs tells: GENERATION => [ [begin, end], ... ] in seconds,
# those of files that have records.  Several files may be synced in one turn,
# and what they get was there when it began.

sub syncs_of {
    my %syncs;

    for (split /\n/, GWTest::slurp("$synced/.log")) {
        my ($name, $begin, $end, $size) = split / /;
        my ($generation) = $name =~ /\A([0-9a-f]{16})-\d+\.seg\z/ or next;

        next if $size <= $HEADER;

        my $list = $syncs{$generation} //= [];

        $_ /= 1e6 for $begin, $end;

        if (@$list && $begin < $list->[-1][1] + $SYNC / 2000) {
            $list->[-1][1] = $end;

        } else {
            push @$list, [ $begin, $end ];
        }
    }

    return \%syncs;
}


sub logged {
    my %logged;

    for (split /\n/, $meter->access_log) {
        my ($id, undef, undef, $time) = split / /;

        $logged{$id} = $time if $id ne '-';
    }

    return \%logged;
}


# names that are durable

sub names {
    my ($last) = reverse sort glob "$synced/.list-*";

    return split /\n/, GWTest::slurp($last // '');
}


# those in files that are durable, and those that had to be; who drains the
# files of a generation syncs them, too

sub owed {
    my ($logged) = @_;

    my (%durable, %had_to);
    my $syncs = syncs_of();

    for my $name (names()) {
        my $text = GWTest::slurp("$synced/$name");

        while ($text =~ /"id":"([0-9a-f]{16}-\d+)"/g) {
            $durable{$1} = 1;
        }
    }

    for my $id (keys %$logged) {
        my ($generation) = split /-/, $id;
        my $list = $cut{$generation} ? [] : $syncs->{$generation} || [];

        $had_to{$id} = 1
            if @$list > 1 && $logged->{$id} <= $list->[-2][1];
    }

    return (\%durable, \%had_to);
}


sub restore {
    my $journal = $meter->journal;

    unlink glob "$journal/*";
    File::Path::remove_tree($_) for glob $meter->tails . '/*';

    for my $name (names()) {
        my $file = "$journal/$name";

        if (-e "$synced/$name") {
            copy("$synced/$name", $file) or die "$file: $!\n";

        } else {

            # made, and never synced

            open(my $fh, '>', $file) or die "$file: $!\n";
        }

        chown((stat $journal)[4, 5], $file);
        chmod 0600, $file;
    }
}


END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


for my $round (1 .. $CUTS) {

    # every other time the journal is all there is

    $kafka->signal('STOP') if $round % 2;

    $traffic = $meter->traffic(rate => 400, n => $CONNECTIONS,
                               seed => $SEED + $round);

    my $all = 800 + int rand 800;

    wait_for(sub { $traffic->count >= $all }, 'requests');

    # all at once

    my @pids = $meter->survivors;

    kill('STOP', @pids);
    wait_for(sub {
        !grep { GWTest::slurp("/proc/$_/stat") !~ /\) [TZX]/ } @pids;
    }, 'all to stand still');

    my $now = time;

    $meter->kill_all('KILL');
    $traffic->stop;

    my $logged = logged();
    my ($durable, $had_to) = owed($logged);

    @owed{keys %$durable, keys %$had_to} = ();
    $cut{$_} = 1 for map { /\A([0-9a-f]{16})-/ } keys %$durable;
    $logged_at{$_} //= [ $logged->{$_}, $now ] for keys %$logged;

    restore();
    $kafka->signal('CONT') if $round % 2;

    $meter->start;
    $meter->wait_drained;
}

my $proof = GWMeterProof->new(power => 1);

# what Kafka has is known when it is read: then the rest may be lost that had
# not to be there

$meter->finish;
$meter->prove($proof);

my %request = map { (split / /)[0, 1] } split /\n/, $meter->access_log;
my @lost = grep { !$proof->has($_) } keys %logged_at;

$proof->may_lose(map { ($_, $request{$_}) } grep { !exists $owed{$_} } @lost);

my %named = reverse %request;
my @nowhere = grep { !$proof->has($_) && !$named{$_} } $proof->requests;

$proof->may_lose(@nowhere);

diag($proof->report);
diag(sprintf('%d cuts: %d events had to arrive, %d were logged and lost, '
             . 'the oldest %.0f ms before the cut; %d requests were under way',
             $CUTS, scalar keys %owed, scalar @lost,
             1000 * (max(0, map { $logged_at{$_}[1] - $logged_at{$_}[0] }
                         @lost)), scalar @nowhere));

cmp_ok(scalar(keys %owed), '>', 50 * $CUTS, 'what was synced is known');
is_deeply([ $proof->problems ], [], 'nothing else is lost')
    or diag("GW_SEED=$SEED");
is_deeply([ sort grep { !$proof->has($_) } keys %owed ], [],
          'all that was synced, or had to be, arrives');
is_deeply([ $meter->files ], [], 'nothing is left in the journal');
cmp_ok(scalar(@nowhere), '<=', 2 * $CUTS * $CONNECTIONS,
       'of those not logged only what was under way is lost');

for my $generation (sort keys %cut) {
    ok($proof->ended($generation), "$generation has its end");
}

cmp_ok($proof->count('recovered'), '>=', $CUTS,
       'marks tell what may be missing');
is_deeply([ grep { !/exited on signal 9/ && !/ was locked by \d+/ }
            $meter->trouble ], [],
          'no alert in the error log');

done_testing();
