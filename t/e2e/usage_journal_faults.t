# Copyright (C) The nginx gateway modules authors

# What a disk, a clock, Kafka, or somebody who is at the files, may do to a
# journal: events are lost only where they can't be kept, and then it is told.
#
# t/lib/faults.c and t/lib/clock.c make the faults.

use strict;
use warnings;

use Fcntl;
use File::Path qw(remove_tree);
use IO::Socket::INET;
use List::Util qw(max);
use Test::More;

use GWMeterFault;
use GWTest;


my $PADDING = "X-Padding: " . 'p' x 1000;
my $HEADER = 1024;               # of a segment
my $HEAD = 24;                   # of a record without a key
my $EVENTS = 8;                  # that need less than half of a segment
my $TAILS = 8;                   # segments in memory, at most

my $kafka = GWTest::Server->new('mock-kafka', 'faults-kafka');
my $only = $ENV{GW_ONLY} // '.';
my $meter;


# the journal of one worker, with small segments

sub begin {
    my ($name, $journal, $http) = @_;

    $http //= '';

    $meter = GWMeterFault->new(
        name => $name, kafka => $kafka, workers => 1, faults => 1, clock => 1,
        journal => "segment=64k $journal",
        http => <<"END");
    gw_usage_kafka_set  reconnect.backoff.ms      10;
    gw_usage_kafka_set  reconnect.backoff.max.ms  100;

    gw_usage_field  padding \$http_x_padding;
    gw_usage_field  more    \$http_x_padding;
    gw_usage_field  rest    \$http_x_padding;
    $http
END
}


# what is wrong, with what was dropped, or is a gap, by itself

sub end {
    my $proof = $meter->finish;
    my @problems = $proof->problems;

    is_deeply([ grep { !/exited on signal 9/ && !/ was locked by \d+/
                       && !/\[crit\]/ } $meter->trouble ], [],
              'no alert in the error log');

    # what GWMeterFault may leave, and has no events

    is_deeply([ map { $meter->aside($_) } qw(bad dead kept) ], [],
              'no file was put aside');
    unlike($meter->access_log, qr/^- \S+ 503 /m, 'no request was refused');

    return ([ sort grep { !/\A(?:dropped|gap|incomplete|lost):/ } @problems ],
            [ map { /\Agap: (.*)/ } @problems ], $proof);
}


# on one connection; returns how many were answered

sub requests {
    my ($n, $path, @headers) = @_;

    my $sock = IO::Socket::INET->new('127.0.0.1:' . $meter->port)
        or die "client: $!\n";
    my $request = join "\r\n", "GET $path HTTP/1.1", 'Host: a', @headers,
                               '', '';
    my ($sent, $done, $in) = (0, 0, '');

    while ($done < $n) {
        while ($sent < $n && $sent < $done + 8) {
            syswrite($sock, $request);
            $sent++;
        }

        sysread($sock, $in, 65536, length $in) or last;

        $done += () = $in =~ m{HTTP/1\.1 \d}g;
        $in = substr($in, -9);
        $in =~ s{.*HTTP/1\.1 \d}{}s;
    }

    return $done;
}


# as soon as half of the last segment is empty

sub paced {
    my ($n, $seconds) = @_;

    wait_for(sub {
        my @tails = sort(glob($meter->tails . '/*/*.seg'));

        @tails && substr(GWTest::slurp($tails[-1]), 32768) =~ /\A\0{64}/;
    }, 'room ahead', $seconds);

    requests($n, '/here', $PADDING);
}


# a journal of 1 MB, to the last byte: a thread may be late with a segment,
# and large events leave room for smaller ones

sub fill {
    my ($path) = @_;

    wait_for(sub {
        requests(20, $path, $PADDING);
        owned() >= 15;
    }, 'the last segment');

    for my $header ($PADDING, 'X-Padding: ' . 'p' x 30) {
        my $dropped = $meter->metric('dropped_total');

        wait_for(sub {
            requests(20, $path, $header);
            $meter->metric('dropped_total') > $dropped + 200;
        }, 'the journal to be full');
    }
}


# numbers of segments

sub numbers {
    my ($dir, $kind) = @_;

    $kind //= 'seg';

    my @numbers = sort { $a <=> $b } map { /-0*(\d+)\.$kind\z/ }
                  glob "$dir/*.$kind $dir/*/*.$kind";

    return @numbers;
}


sub owned    { numbers($meter->journal, @_) }
sub mapped   { numbers($meter->tails) }


sub segment {
    my ($number) = @_;

    my ($generation) = keys %{$meter->generations};

    return sprintf('%s/%s-%08d.seg', $meter->journal, $generation, $number);
}


sub ids {
    return $_[0] =~ /"id":"([0-9a-f]{16}-\d+)"/g;
}


sub scenario {
    my ($name, $test) = @_;

    return if $name !~ /$only/;

    subtest $name => sub {
        eval { $test->(); 1 } or fail($@);
        eval { $meter->stop('TERM') } if $meter->master;
        $kafka->order('up all');
    };
}


scenario 'a disk that is synced seldom' => sub {
    begin('seldom', 'size=64m sync=60s');
    $meter->fault(sync => 'skip');

    # tails are given back when there are many, not only by the timer

    paced($EVENTS, 40) for 1 .. 120;

    # a file where a segment would be

    my $next = max(owned()) + 3;
    my $way = segment($next);

    sysopen(my $fh, $way, O_WRONLY|O_CREAT|O_EXCL) or die "$way: $!\n";
    close($fh);

    wait_for(sub {
        requests(1, '/here', $PADDING);
        max(owned()) > $next;
    }, 'a segment behind a file in the way');
    unlink $way;

    # somebody who cleans a tmpfs

    my $failures = $meter->metric('file_failures_total');

    chmod(01777, $meter->tails);

    # a thread may be about to make a file there

    wait_for(sub {
        remove_tree(glob($meter->tails . '/*'), { error => \my $err });

        my @left = glob($meter->tails . '/*');

        !@left;
    }, 'tails to be gone');

    wait_for(sub {
        requests(1, '/here', $PADDING);
        mapped() > 1;
    }, 'another folder for tails');

    ok(eval {
        wait_for(sub { $meter->metric('file_failures_total') > $failures },
                 'the failure');
    }, 'it is counted') or diag($@);

    my $n = max(mapped());

    wait_for(sub {
        requests(1, '/here', $PADDING);
        max(mapped()) > $n + 1;
    }, 'more segments there');

    my ($problems, $gaps) = end();

    is_deeply($problems, [], 'nothing is wrong');
    is_deeply($gaps, [], 'nothing was dropped');
};


scenario 'many segments that wait for Kafka' => sub {
    begin('backlog', 'size=64m sync=50ms');
    $meter->fault(sync => 'skip');
    $kafka->order('down all');

    my $n = 50;

    wait_for(sub {
        paced($EVENTS);
        owned() > $n;
    }, 'a backlog');
    wait_for(sub { mapped() <= 4 }, 'tails to be given back');

    my ($worker) = $meter->workers;
    my $open = grep { (readlink($_) // '') =~ /\.seg\z/ }
               glob "/proc/$worker/fd/*";

    cmp_ok($open, '<=', 8, 'descriptors of those with a tail only');

    # all are acknowledged before the next of them is removed

    $meter->fault(datasync => 'hang');
    requests(1, '/here');
    wait_for(sub { $meter->hung }, 'a copy to begin');

    $kafka->order('up all');
    wait_for(sub { $meter->metric('pending') == 0 }, 'Kafka to have all');
    cmp_ok(scalar(owned()), '>', $n, 'none is removed yet');

    my $appended = $meter->metric('appended_total');

    requests(1, '/here');
    wait_for(sub { $meter->metric('appended_total') > $appended },
             'one more event');

    $meter->fault(log => '');
    $meter->fault('datasync');
    wait_for(sub { owned() < 8 }, 'what is done to be removed');

    my @log = split /\n/, GWTest::slurp($meter->control . '/log');
    my %removed = map { $_ => 1 } map { m{^unlink (\S+)} } @log;
    my (%before, $found);

    for (@log) {
        $before{$1} = 1 if /^unlink (\S+)/;
        $found = 1, last if m{^sync .*/(\S+)} && !$removed{$1};
    }

    ok($found, 'the event is synced');
    cmp_ok(scalar(keys %before), '<', $n / 2, 'before most are removed');

    my ($problems, $gaps) = end();

    is_deeply($problems, [], 'nothing is wrong');
    is_deeply($gaps, [], 'nothing was dropped');
};


scenario 'a disk that fails, and Kafka is well' => sub {
    begin('failing', 'size=64m sync=50ms');

    for ([ sync => 'EIO' ], [ write => 'EIO' ], [ write => 'ENOSPC' ]) {
        my $fault = "@$_";
        my $n = max(owned());

        $meter->fault(@$_);

        # more than memory has room for

        wait_for(sub {
            paced($EVENTS, 120);
            max(owned()) > $n + 2 * $TAILS;
        }, "$fault: new segments", 240);
        wait_for(sub { mapped() <= 3 && owned() <= 3 },
                 "$fault: segments to be removed", 120);
        cmp_ok($meter->metric('file_failures_total'), '>', 0,
               "$fault: it is counted");

        $meter->fault($_->[0]);
    }

    # what never got to the disk survives its worker

    $kafka->order('down all');
    $meter->fault(sync => 'EIO');

    my $n = max(owned());

    wait_for(sub {
        paced($EVENTS, 120);
        max(owned()) > $n + 2;
    }, 'segments that wait', 240);

    my ($dead) = keys %{$meter->generations};

    $meter->kill_workers(KILL => $meter->workers);
    $kafka->order('up all');
    requests(1, '/here');
    wait_for(sub { !exists $meter->generations->{$dead} }, 'all to be sent',
             120);
    $meter->fault('sync');

    my ($problems, $gaps) = end();

    is_deeply($problems, [], 'nothing is wrong');
    is_deeply($gaps, [], 'nothing was dropped');
};


scenario 'a disk that fails, and Kafka is away' => sub {
    begin('stuck', 'size=64m sync=10s');
    $kafka->order('down all');
    $meter->fault(sync => 'EIO');

    wait_for(sub {
        requests(20, '/here', $PADDING);
        $meter->metric('dropped_total') > 0;
    }, 'memory to be full', 120);

    # what failed is tried again by the timer alone

    my $failed = sub { -s $meter->control . '/failed' // 0 };
    my ($since, $before) = (time, $failed->());

    wait_for(sub {
        requests(20, '/here', $PADDING);
        time > $since + 3;
    }, 'some seconds', 120);

    my $tries = $failed->() - $before;

    cmp_ok($tries, '<=', ($TAILS + 2) * (2 + (time - $since) / 10),
           'segments are not tried again and again');

    $meter->fault('sync');
    $kafka->order('up all');

    my ($problems) = end();

    is_deeply($problems, [], 'nothing is wrong but what was dropped');
};


scenario 'segments that can not be read again' => sub {
    begin('broken', 'size=64m sync=50ms', <<'END');
    gw_usage_kafka_set  queue.buffering.max.messages  10;
    gw_usage_kafka_set  linger.ms                     1;
END
    $meter->fault(sync => 'skip');
    $kafka->order('down all');

    wait_for(sub {
        paced($EVENTS);
        owned() > 10;
    }, 'a backlog');
    wait_for(sub { (mapped())[0] > 5 }, 'tails to be given back');

    # one is on a bad place of the disk, one cut off behind an event

    my ($bad, $cut) = map { segment($_) } 3, 5;
    my @lost = ids(GWTest::slurp($bad));
    my $text = GWTest::slurp($cut);
    my @ids = ids($text);
    my $middle = index($text, qq({"specversion":"1.0","id":"$ids[@ids / 2]"));

    push @lost, @ids[@ids / 2 .. $#ids];
    truncate($cut, $middle - $HEAD) or die "$cut: $!\n";
    $meter->fault(read => 'EIO', $HEADER, $bad);

    $kafka->order('up all');
    wait_for(sub {
        requests(1, '/here');
        owned() < 8;
    }, 'the others to be sent and removed');
    wait_for(sub { owned('bad') == 2 }, 'those two to be put aside');

    is_deeply([ owned('bad') ], [ 3, 5 ], 'the segments put aside');
    is(-s $meter->control . '/failed', 10, 'tries to read the bad one');
    ok($meter->metrics_are(corrupt_total => 2), 'both are counted');

    unlink glob $meter->journal . '/*.bad';

    my ($problems, $gaps) = end();

    is_deeply($problems, [], 'nothing else is wrong');
    is_deeply($gaps, \@lost, 'their events are lost');
};


scenario 'a rejected request cut off by a death' => sub {
    begin('cut', 'size=64m', 'gw_usage_field  last  $realpath_root;');
    is(requests(3, '/here'), 3, 'some requests');

    # it has its sequence then, and no event

    my @old = $meter->workers;

    $meter->fault(realpath => '');
    requests(1, '/no');
    wait_for(sub { !GWTest::Gateway::is_alive($old[0]) }, 'the death');
    ok(!-e $meter->control . '/realpath', 'it was there');
    $meter->steady;

    my ($problems, $gaps, $proof) = end();

    is_deeply($problems, [], 'nothing is wrong');
    is_deeply($gaps, [], 'no gap');
    is($proof->count('adopted'), 1, 'an end that is adopted');
};


# Its worker is killed between the event and the end of the request; for a
# test it gets a table of before the event.

scenario 'an event whose request can not leave the table' => sub {
    begin('leave', 'size=64m sync=50ms');
    $kafka->order('down all');

    my $held = send_request($meter->port, 'POST', '/held',
                            headers => [ 'Content-Length' => 1 ]);

    wait_for(sub { $meter->metric('requests') == 1 }, 'a request under way');

    my ($live) = glob $meter->tails . '/*/*.live';
    my $segment = segment(1);
    my $table = GWTest::slurp($live);

    syswrite($held, 'a');
    is(read_response($held)->{status}, 200, 'its answer');
    wait_for(sub { $meter->metric('requests') == 0 }, 'its event');
    $meter->kill_all('KILL');

    open(my $fh, '+<', $live) or die "$live: $!\n";
    syswrite($fh, $table);
    close($fh);

    $meter->fault(write => 'EIO', 0, $live);
    $meter->start;
    $kafka->order('up all');

    # marks of both generations and the event, which would be removed then

    wait_for(sub { $meter->metric('acknowledged_total') >= 4 }, 'Kafka', 120);

    my $tries = -s $meter->control . '/failed' // 0;

    wait_for(sub { (-s $meter->control . '/failed' // 0) > $tries + 5 },
             'it to be tried again');
    ok(-e $live, 'the table is there');
    ok(-e $segment, 'so is the segment with the event');

    # who begins anew sees both

    $meter->kill_all('KILL');
    $meter->fault('write');
    $meter->start;
    wait_for(sub { !-e $live && !-e $segment }, 'both to be removed', 120);

    my ($problems, $gaps, $proof) = end();

    is_deeply($problems, [], 'nothing is wrong');
    is_deeply($gaps, [], 'no gap');
    is($proof->count('unfinished'), 0, 'no request is taken for cut off');
};


scenario 'full, and requests under way have room' => sub {
    begin('room', 'size=1m full=reject sync=50ms',
          'gw_usage_interval  1s;');
    $meter->fault(sync => 'skip');
    $kafka->order('down all');

    my @held = map {
        send_request($meter->port, 'POST', '/held',
                     headers => [ 'X-Padding' => 'p' x 1000,
                                  'Content-Length' => 1 ])
    } 1 .. 4;

    wait_for(sub { $meter->metric('requests') == 4 }, 'requests under way');

    # what is rejected takes its sequence without asking for room; so do
    # interim events

    fill('/no');

    my $dropped = $meter->metric('dropped_total');

    wait_for(sub {
        $meter->metric('dropped_total') > $dropped + 16;
    }, 'interim events to be dropped');

    syswrite($_, 'a') for @held;

    my @answers = map { read_response($_) } @held;

    is_deeply([ map { $_->{status} } @answers ], [ (200) x 4 ], 'answers');

    # nginx lingers until they are closed

    close($_) for @held;
    wait_for(sub { 4 == (() = $meter->access_log =~ / 200 /g) },
             'them to be logged');

    $kafka->order('up all');

    my ($problems, $gaps) = end();
    my %gap = map { $_ => 1 } @$gaps;
    my @ids = $meter->access_log =~ /^(\S+) \S+ 200 /mg;

    is(scalar(@ids), 4, 'they are logged');
    is_deeply([ grep { $gap{$_} } @ids ], [], 'they have their events');
    is_deeply($problems, [], 'nothing else is wrong');
};


scenario 'full for long, then the end' => sub {
    begin('long', 'size=1m sync=50ms');
    $meter->fault(sync => 'skip');
    $kafka->order('down all');

    fill('/here');

    # marks take what is left for them

    my ($ahead, $same, $last) = (0, 0, -1);

    wait_for(sub {
        my ($before, $dropped) = ($last, $meter->metric('dropped_total'));

        $meter->fault(monotonic => $ahead += 11);
        requests(1, '/here');
        wait_for(sub { $meter->metric('dropped_total') > $dropped }, 'a tick');

        $last = $meter->metric('appended_total');
        $same = $last == $before ? $same + 1 : 0;
        $same == 3;
    }, 'no room for a mark');

    # Kafka comes back when it is too late to make any

    my ($worker) = $meter->workers;

    kill('QUIT', $worker);
    wait_for(sub { $meter->error_log =~ / $worker#\d+: exiting\n/ },
             'the worker to exit');
    $kafka->order('up all');
    wait_for(sub { !GWTest::Gateway::is_alive($worker) }, 'it to end');
    $meter->steady;

    my ($problems) = end();

    is_deeply($problems, [], 'each generation has an end');
};


done_testing();
