# Copyright (C) The nginx gateway modules authors

# The configuration of the journal is changed by a reload, under load: another
# segment, another topic and back, another directory and back.  nginx comes
# back with another user.  What Kafka lost is sent again from what was kept.
# All events arrive where they belong.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use GWMeterFault;
use GWMeterProof;
use GWTest;


my $kafka = GWTest::Server->new('mock-kafka', 'change-kafka');

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


sub answers {
    my ($traffic, $n) = @_;

    my $all = $traffic->count + $n;

    wait_for(sub { $traffic->count >= $all }, "$n answers", 120);
}


sub check {
    my ($title, $meter, $proof) = @_;

    diag("$title: " . $proof->report);
    is_deeply([ $proof->problems ], [],
              "$title: nothing is lost, nothing counts twice");
    is_deeply([ $meter->files, map { $meter->aside($_) } qw(bad dead) ], [],
              "$title: nothing is left in the journal");
    is_deeply([ $meter->trouble ], [], "$title: no alert in the error log");
}


# Reloads with something changed in the configuration.  What workers with the
# old one leave has to be of their own kind.

sub change {
    my ($meter, $edit) = @_;

    $meter->edit($edit);
    $meter->reload(old => 1);
    $meter->steady;
}


# Workers with another configuration may not have delivered all when they ended,
# on a busy machine: then they come back until it has no files, how often is
# returned, too.

sub finish {
    my ($meter, $change, $files) = @_;

    my $edit = $meter->{arg}{edit};
    my $more = 0;

    $_->stop for @{$meter->{traffics}};

    while (my @left = $files->()) {
        die "the other one keeps @left\n" if ++$more > 10;

        change($meter, $change);
        wait_for(sub {
            my %is = map { $_ => 1 } $files->();

            !grep { $is{$_} } @left;
        }, 'the other one to be drained');
        change($meter, $edit);
    }

    return ($meter->finish, $more);
}


# messages of a topic that is not the meter's

sub messages {
    my ($topic) = @_;

    open(my $fh, '-|', 'kcat', '-C', '-q', '-e', '-b', $kafka->address,
         '-t', $topic, '-o', 'beginning', '-f', '%p\t%k\t%s\n')
        or die "kcat: $!\n";

    chomp(my @lines = <$fh>);
    close($fh);

    return map { [ split /\t/, $_, 3 ] } @lines;
}


{
    my $title = 'segment, sync, size';
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=64m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);
    my $edit = $meter->{arg}{edit};

    # the backlog of old sizes has to be read by workers with the new one

    answers($traffic, 100);
    $kafka->signal('STOP');

    for my $segment ('1m', '64k', '256k') {
        answers($traffic, 400);
        change($meter, sub {
            s/size=64m sync=50ms segment=64k/size=32m segment=$segment/;
            $edit->();
        });
    }

    answers($traffic, 200);
    cmp_ok(scalar(keys %{$meter->generations}), '>=', 8,
           "$title: each worker has left something");
    $kafka->signal('CONT');
    check($title, $meter, $meter->finish);
}


{
    my $title = 'topic';
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=64m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);
    my $edit = $meter->{arg}{edit};
    my $other = "$meter->{topic}.other";

    answers($traffic, 100);
    $kafka->signal('STOP');
    answers($traffic, 200);

    # workers leave what is for the old one; it stays, and new ones say so

    my $change = sub {
        s/topic=\S+?;/topic=$other;/;
        $edit->();
    };

    change($meter, $change);
    $kafka->signal('CONT');
    answers($traffic, 300);

    ok($meter->metrics_are(journals_foreign => 2),
       "$title: what is for the old one is foreign");

    # and back: then it is sent, and the other one is closed

    change($meter, $edit);
    answers($traffic, 100);

    my ($proof, $more) = finish($meter, $change, sub {
        my ($said) = $meter->tool('stat', '--json');

        map { $_->{generation} } grep { ($_->{topic} // '') eq $other }
                                 @{decode_json($said)->{generations}};
    });

    $proof->message(@$_) for messages($other);
    check($title, $meter, $proof);

    my %kinds = map { $_->[2] =~ /"id":"(\w+)-/ && ($1 => 1) } messages($other);

    is(scalar(keys %kinds), 2 + 2 * $more,
       "$title: the other one has the events of its workers, and no others");
}


{
    my $title = 'directory';
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=64m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);
    my $edit = $meter->{arg}{edit};
    my $journal = $meter->journal;

    answers($traffic, 100);
    $kafka->signal('STOP');
    answers($traffic, 200);

    my $change = sub {
        s/gw_usage_journal\s+\Q$journal\E/gw_usage_journal  $journal-2/;
        $edit->();
    };

    change($meter, $change);
    answers($traffic, 200);
    cmp_ok(scalar(grep { /\.seg\z/ } glob "$journal-2/*"), '>=', 2,
           "$title: the new one is written to");
    my $done = $meter->metric('acknowledged_total');

    $kafka->signal('CONT');

    ok(eval {
        wait_for(sub {
            $meter->metric('acknowledged_total') > $done + 200;
        }, 'the new one');
    }, "$title: the new one is delivered") or diag($@);

    cmp_ok(scalar(grep { m{^\Q$journal\E/.*\.seg\z} } glob "$journal/*"),
           '>=', 2, "$title: the old one waits for its gateway");

    change($meter, $edit);

    my $files = sub { return grep { !m{/lock\z} } glob "$journal-2/*" };
    my ($proof) = finish($meter, $change, $files);

    check($title, $meter, $proof);
    is_deeply([ $files->() ], [], "$title: nothing is left in the other one");
}


SKIP: {
    skip('another user: not root', 1) if $> != 0;

    my $title = 'another user';
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=64m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);
    my $edit = $meter->{arg}{edit};

    answers($traffic, 100);
    $kafka->signal('STOP');
    answers($traffic, 300);
    $traffic->stop;
    wait_for(sub { $meter->metric('requests') == 0 }, 'no request', 120);
    $meter->kill_all('KILL');
    $meter->edit(sub { s/^user .*/user  daemon daemon;/m; $edit->() });

    # tails are memory of the other one, whom the new one must not trust

    my $started = eval { $meter->start; 1 };

    ok(!$started, "$title: nginx does not start");
    like($@, qr/gw journal: "\S+" belongs to user \d+, not to/,
         "$title: and says why");

    # as it says; what is in memory had been synced

    my ($tails) = glob $meter->tails . '/*';

    system('chown', '-R', 'daemon', $tails, $meter->journal) == 0
        or die "chown failed\n";

    $kafka->signal('CONT');
    $meter->start;
    is((stat "/proc/" . ($meter->workers)[0])[4], scalar getpwnam('daemon'),
       "$title: workers have it");

    my $proof = $meter->finish;

    diag("$title: " . $proof->report);
    is_deeply([ $proof->problems ], [], "$title: nothing is lost");
    is_deeply([ $meter->files ], [], "$title: nothing is left");
}


{
    my $title = 'kept';
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=64m sync=50ms segment=64k keep=1h');
    my $traffic = $meter->traffic(rate => 300, n => 8);

    answers($traffic, 300);

    # one is adopted, and kept as well

    $meter->kill_workers(KILL => ($meter->workers)[0]);
    answers($traffic, 500);

    my $proof = $meter->finish;

    check($title, $meter, $proof);

    # everything once more, into a topic that has nothing

    my $topic = "$meter->{topic}.again";
    my ($said, $status) = $meter->tool('replay', '--kept', '-b',
                                       $kafka->address, '-t', $topic);

    is($status, 0, "$title: replay") or diag($said);

    my $again = GWMeterProof->new;

    $again->message(@$_) for messages($topic);

    my @missing = grep { !$again->has($_) } keys %{$proof->{ids}};
    my @different = grep { $again->has($_)
                           && $again->{ids}{$_} ne $proof->{ids}{$_} }
                    keys %{$proof->{ids}};

    diag("$title: " . $again->report =~ s/.*\n//sr . "; $said");

    # what an adopter adds, is in no segment

    is_deeply([ grep { $proof->{ids}{$_} !~ /\Au/ } @missing ], [],
              "$title: all of " . scalar(keys %{$proof->{ids}})
              . ' events are there again');
    cmp_ok(scalar @missing, '<=', $proof->count('unfinished'),
           "$title: but for unfinished ones");
    is_deeply(\@different, [], "$title: with the same bytes");
}

# refused by a reload, and the old one goes on

{
    my $title = 'a configuration that is no good';
    my $meter = GWMeterFault->new(
        kafka => $kafka, workers => 2, listen => 'reuseport',
        journal => 'size=64m sync=50ms segment=64k');
    my $traffic = $meter->traffic(rate => 300, n => 8);
    my $edit = $meter->{arg}{edit};
    my @workers = $meter->workers;
    answers($traffic, 100);

    my $n = 0;

    for my $bad (sub { s/segment=64k/segment=64m/ },
                 sub { s{tail=\S+}{tail=/nonexistent} })
    {
        $n++;
        $meter->edit(sub { $bad->(); $edit->() });
        kill('HUP', $meter->master);
        wait_for(sub {
            (() = $meter->error_log =~ /\[emerg\] .* gw journal: /g) == $n;
        }, 'it to be refused');
        answers($traffic, 50);
    }

    is_deeply([ $meter->workers ], \@workers, "$title: workers go on");
    $meter->edit($edit);

    my $proof = $meter->finish;

    diag("$title: " . $proof->report);
    is_deeply([ $proof->problems ], [], "$title: nothing is lost");
}


done_testing();
