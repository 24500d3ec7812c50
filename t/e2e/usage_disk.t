# Copyright (C) The nginx gateway modules authors

# The disk of the journal is full, fails, or hangs; so is the memory for its
# tails.  Requests are answered meanwhile, or refused if the configuration
# says so; afterwards it goes on by itself.  All events arrive that were not
# dropped, and those are counted, the same everywhere.
#
# Latencies are shown, and not tested.

use strict;
use warnings;

use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);

use GWLoad qw(pipelined);
use GWMeterFault qw(can_mount);
use GWTest;


# segments in memory, of each worker, at most

my $TAILS = 8;

my $JOURNAL = 'size=1g sync=50ms segment=64k';

# requests a second

my $RATE = 400;

my $kafka = GWTest::Server->new('mock-kafka', 'disk-kafka');

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


sub new_meter {
    my ($name, $mode, %arg) = @_;

    return GWMeterFault->new(name => $name, kafka => $kafka, workers => 2,
                             listen => 'reuseport',
                             journal => "$JOURNAL full=$mode", %arg);
}


sub answers {
    my ($traffic, $n) = @_;

    my $all = $traffic->count + $n;

    wait_for(sub { $traffic->count >= $all }, "$n answers", 120);
}


# until there is no room, and requests notice

sub wait_full {
    my ($title, $meter, $mode, $more) = @_;

    my $name = $mode eq 'reject' ? 'rejected_total' : 'dropped_total';
    my $before = $meter->metric($name);

    for my $full ([ $name => $before + 20 ], [ journal_full => 0 ]) {
        ok(eval {
            wait_for(sub {
                $more->() if $more;
                $meter->metric($full->[0]) > $full->[1];
            }, $full->[0]);
        }, "$title: $full->[0] tells") or diag($@);
    }
}


# Events come in again, of all workers.  What makes room is called when there
# are few requests, for it may be so little that it is gone before it is seen.

sub wait_room {
    my ($title, $meter, $traffic, $make) = @_;

    $traffic->rate(10);
    $make->();

    ok(eval {
        wait_for(sub { $meter->metric('journal_full') == 0 }, 'room');
    }, "$title: there is room again") or diag($@);

    my $appended = $meter->metric('appended_total');

    $traffic->rate($RATE);

    ok(eval {
        wait_for(sub { $meter->metric('appended_total') > $appended + 50 },
                 'events');
    }, "$title: events are written again") or diag($@);
}


# Of the access log: who is not there was dropped, who was refused has no id.
# The metrics have to say the same before nginx ends.

sub all_counted {
    my ($title, $meter, $mode, $traffic) = @_;

    $traffic->stop;

    my $refused = 0;

    wait_for(sub { $meter->metric('requests') == 0 }, 'no request', 120);
    ok(eval { wait_for(sub { $meter->metric('pending') == 0 }, 'Kafka', 120) },
       "$title: all is delivered") or diag($@);

    # a gauge may be older than an event

    my $lost;

    wait_for(sub {
        my $proof = $meter->prove(GWMeterProof->new);

        $lost = grep { /is logged, nothing is in Kafka/ } $proof->problems;
        $lost == $meter->metric('dropped_total');
    }, 'the same in metrics as in Kafka', 120);

    for (split /\n/, $meter->access_log) {
        $refused++ if /\A- \S+ 503 /;
    }

    ok($meter->metrics_are(dropped_total => $lost, rejected_total => $refused),
       "$title: $lost dropped, $refused refused, all of them counted");

    my $failures = $meter->metric('file_failures_total');
    my $proof = $meter->finish;
    my $losses = $meter->losses($proof);

    diag("$title: $lost dropped, $refused refused, $failures failures, "
         . $proof->report =~ s/.*\n//sr);

    is_deeply($losses->{others}, [], "$title: all others arrive");
    is($losses->{dropped}, $lost, "$title: marks tell how many are missing");
    is(scalar(keys %{$losses->{ids}}), $lost, "$title: and these are gaps");

    # who was rejected by nginx itself was not admitted

    my %status = map { (split / /)[0, 2] } split /\n/, $meter->access_log;

    is_deeply([ grep { $status{$_} != 403 } keys %{$losses->{ids}} ], [],
              "$title: none is dropped that was admitted")
        if $mode eq 'reject';

    is_deeply([ $meter->files, map { $meter->aside($_) } qw(bad dead) ], [],
              "$title: nothing is left in the journal");
    is_deeply([ grep { !/\[crit\] .* gw journal: / } $meter->trouble ], [],
              "$title: no alert in the error log");

    check_log($title, $meter);
}


# a worker says the same at most once in ten seconds, also over midnight

sub check_log {
    my ($title, $meter) = @_;

    my (%last, @soon);

    for (split /\n/, $meter->error_log) {
        my ($h, $m, $s, $pid, $text)
            = / (\d\d):(\d\d):(\d\d) \[crit\] (\d+)#.* gw journal: (.*)/
            or next;
        my $kind = "$pid " . ($text =~ /dropped|failed|\z/ && $&);
        my $time = $h * 3600 + $m * 60 + $s;

        push @soon, $_
            if defined $last{$kind} && ($time - $last{$kind}) % 86400 < 9;
        $last{$kind} = $time;
    }

    is_deeply(\@soon, [], "$title: no flood in the error log");
}


# takes all that is left of a file system

sub fill {
    my ($dir) = @_;

    open(my $fh, '>>', "$dir/ballast") or die "ballast: $!\n";
    1 while syswrite($fh, 'b' x 4096);
    close($fh);
}


# how long a client waits, while it is so

sub latencies {
    my ($title, $meter, $cond) = @_;

    my (@took, %status);

    do {
        my $start = time;
        my $r = $meter->get('/here', timeout => 10);

        push @took, time - $start;
        $status{$r->{status}}++;
    } until ($cond->());

    @took = sort { $a <=> $b } @took;

    diag(sprintf('%s: %d requests one by one, median %.1f ms, longest %.1f '
                 . 'ms; %s', $title, scalar @took, 1000 * $took[@took / 2],
                 1000 * $took[-1],
                 join ', ', map { "$status{$_} x $_" } sort keys %status));

    return \%status;
}


sub disk_full {
    my ($mode) = @_;

    my $title = "disk full, $mode";
    my $meter = new_meter("full-$mode", $mode, disk => '800k');
    my @workers = $meter->workers;
    my $traffic = $meter->traffic(rate => $RATE, n => 8);

    answers($traffic, 50);
    $kafka->signal('STOP');
    GWTest::write_file("full-$mode/journal/ballast", 'b' x 200_000);

    wait_full($title, $meter, $mode);
    like($meter->error_log,
         qr/fallocate\(\) of a segment in .* \(28: No space left/,
         "$title: the log tells why");

    # freed by others first, then by Kafka

    wait_room("$title, files removed", $meter, $traffic, sub {
        unlink($meter->journal . '/ballast') or die "ballast: $!\n";
    });

    wait_full("$title once more", $meter, $mode);
    wait_room("$title, Kafka back", $meter, $traffic, sub {
        $kafka->signal('CONT');
    });
    answers($traffic, 100);

    is_deeply([ $meter->workers ], \@workers, "$title: workers are alive");
    all_counted($title, $meter, $mode, $traffic);
}


sub tails_full {
    my ($mode) = @_;

    my $title = "no memory for tails, $mode";
    my $meter = new_meter("tails-$mode", $mode, memory => '4m', start => 0);

    # from the beginning

    fill($meter->tails);
    $meter->start;

    my @workers = $meter->workers;
    my $traffic = $meter->traffic(rate => $RATE, n => 8);

    my $empty = sub {
        unlink($meter->tails . '/ballast') or die "ballast: $!\n";
    };

    wait_full("$title at the start", $meter, $mode);
    wait_room($title, $meter, $traffic, $empty);
    answers($traffic, 100);

    # when it is at work; what segments leave meanwhile is taken, too

    wait_full("$title later", $meter, $mode, sub { fill($meter->tails) });
    wait_room("$title, later", $meter, $traffic, $empty);
    answers($traffic, 100);

    is_deeply([ $meter->workers ], \@workers, "$title: workers are alive");
    all_counted($title, $meter, $mode, $traffic);
}


# each for a while, under load, while Kafka is well

sub errors {
    my ($mode, @faults) = @_;

    my $title = "errors, $mode";
    my $meter = new_meter("errors-$mode", $mode, faults => 1,
                          http => 'gw_usage_kafka_set '
                                  . 'queue.buffering.max.messages 100;');
    my @workers = $meter->workers;
    my $traffic = $meter->traffic(rate => $RATE, n => 8);

    answers($traffic, 50);

    for (@faults) {
        my $failures = $meter->metric('file_failures_total');

        $meter->fault(@$_);

        ok(eval {
            wait_for(sub {
                $meter->metric('file_failures_total') > $failures + 4
            }, "@$_");
        }, "$title: @$_ is counted") or diag($@);

        # long enough for a segment to end

        answers($traffic, 200);
        wait_room("$title, no @$_ any more", $meter, $traffic,
                  sub { $meter->fault($_->[0]) });
    }

    # what is read back is asked for again; it is not fed yet, for librdkafka
    # has room for few

    $kafka->signal('STOP');
    answers($traffic, 1200);
    $meter->fault(read => 'EIO');
    $kafka->signal('CONT');

    my $failures = $meter->metric('file_failures_total');

    ok(eval {
        wait_for(sub { $meter->metric('file_failures_total') > $failures },
                 'read EIO');
    }, "$title: read EIO is counted") or diag($@);

    wait_room("$title, no read EIO any more", $meter, $traffic,
              sub { $meter->fault('read') });

    is_deeply([ $meter->workers ], \@workers, "$title: workers are alive");
    all_counted($title, $meter, $mode, $traffic);
}


sub hangs {
    my ($mode) = @_;

    my $title = "a hung disk, $mode";
    my $meter = new_meter("hangs-$mode", $mode, faults => 1);
    my @workers = $meter->workers;
    my $traffic = $meter->traffic(rate => $RATE, n => 8);

    my $n = 0;

    answers($traffic, 50);
    latencies("$title: before", $meter, sub { ++$n >= 100 });

    for my $call (qw(sync write open)) {
        my $end = 0;
        my $name = $mode eq 'reject' ? 'rejected_total' : 'dropped_total';
        my $before = $meter->metric($name);

        $meter->fault($call => 'hang');
        wait_for(sub { $meter->hung }, 'a thread to hang');

        # it answers until it has no memory left, and goes on

        latencies("$title, $call: until it is full", $meter, sub {
            $meter->metric($name) > $before;
        });

        latencies("$title, $call: full", $meter, sub { ++$end >= 100 });
        answers($traffic, 100);

        my $tails = grep { /\.seg\z/ && index($_, $meter->tails) == 0 }
                    $meter->files;

        cmp_ok($tails, '<=', 2 * $TAILS,
               "$title, $call: a worker has so many segments in memory");

        wait_room("$title, $call", $meter, $traffic,
                  sub { $meter->fault($call) });
    }

    is_deeply([ $meter->workers ], \@workers, "$title: workers are alive");
    all_counted($title, $meter, $mode, $traffic);
}


# What was admitted has its room, whatever comes then: requests that nginx
# rejects itself are not refused, and their events take what is left.

sub promised {
    my $title = 'room that was promised';
    my $meter = GWMeterFault->new(
        name => 'promised', kafka => $kafka, workers => 1,
        journal => 'size=1m sync=50ms segment=64k full=reject',
        server => 'keepalive_requests 1000000;');
    my ($n, $before) = (20, 0);

    $kafka->signal('STOP');

    my @held = map {
        send_request($meter->port, 'POST', '/up',
                     headers => [ 'Content-Length' => 10 ])
    } 1 .. $n;

    syswrite($_, 'first') for @held;
    wait_for(sub { $meter->metric('requests') == $n }, 'requests');

    # until none of so many has room

    wait_for(sub {
        my $last = $before;

        pipelined($meter, 500, sub { '/no' }, 1, 50);
        $before = $meter->metric('dropped_total');

        return $before - $last >= 500 && $meter->metric('file_failures_total');
    }, 'rejected requests to be dropped', 120);

    is($meter->get('/here')->{status}, 503, "$title: no more is admitted");
    syswrite($_, 'other') for @held;

    my @answers = map { read_response($_) } @held;

    undef @held;
    wait_for(sub { $meter->metric('requests') == 0 }, 'no request', 120);
    $kafka->signal('CONT');

    my $proof = $meter->finish;
    my $losses = $meter->losses($proof);
    my @ids = map { $_->{headers}{'x-request-id'} // 'none' } @answers;

    diag("$title: $losses->{dropped} dropped, "
         . $proof->report =~ s/.*\n//sr);

    is(scalar(grep { $_->{status} == 200 } @answers), $n,
       "$title: those that were admitted are answered");
    is(scalar(grep { $proof->has($_) } @ids), $n, "$title: and have events");
    is_deeply($losses->{others}, [], "$title: all others that are missing are "
                                     . 'rejected ones');
    is(scalar(keys %{$losses->{ids}}), $losses->{dropped},
       "$title: and counted");
}


# What is in memory arrives; the rest is dropped until the next reload.  Old
# workers have some seconds for it, then it is lost with their folder: where
# a machine is too slow for that, there is another attempt.

sub gone {
    my $title = 'the directory is gone';
    my ($meter, $traffic);

    for my $attempt (1 .. 5) {
        $meter = new_meter("gone$attempt", 'drop');
        $traffic = $meter->traffic(rate => 300, n => 8);

        my @workers = $meter->workers;

        answers($traffic, 100);

        # a worker may be about to make a file there

        wait_for(sub {
            File::Path::remove_tree($meter->journal, { error => \my $err });
            !-e $meter->journal;
        }, 'the directory to be gone');

        wait_full($title, $meter, 'drop');
        is_deeply([ $meter->workers ], \@workers, "$title: workers are alive");

        $meter->reload(old => 1);

        last if $meter->error_log !~ / [1-9]\d* records are not acknowledged/;

        diag("$title: too slow, attempt $attempt");
        $traffic->stop;
        $meter->stop;
    }

    wait_room("$title, and made again by a reload", $meter, $traffic, sub { });
    answers($traffic, 300);
    $traffic->stop;

    my $proof = $meter->finish;
    my $losses = $meter->losses($proof);

    diag("$title: $losses->{dropped} dropped, "
         . $proof->report =~ s/.*\n//sr);
    is_deeply($losses->{others}, [], "$title: all others arrive");
    is(scalar(keys %{$losses->{ids}}), $losses->{dropped},
       "$title: the rest is counted");
    is_deeply([ $meter->files ], [], "$title: nothing is left");
}


for my $mode (qw(drop reject)) {
    SKIP: {
        skip('cannot mount a small tmpfs: not root', 1) if !can_mount();

        disk_full($mode);
        tails_full($mode);
    }

    hangs($mode);
}

errors(drop => [ sync => 'EIO' ], [ write => 'EIO' ], [ write => 'ENOSPC' ],
       [ open => 'EROFS' ], [ allocate => 'EIO' ], [ unlink => 'EIO' ]);
errors(reject => [ sync => 'EIO' ], [ open => 'EACCES' ]);

promised();
gone();

done_testing();
