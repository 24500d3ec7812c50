# Copyright (C) The nginx gateway modules authors

# gw-journal: what it says of sound and of damaged journals, and what it
# sends to Kafka again.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use GWTest;
use GwJournalFiles qw(event mark record size_of crc32c);


my $tool = "$ENV{TEST_NGINX_BIN}/gw-journal";
my $run = GWTest::run_dir();
my $n = 0;

my ($A, $B, $C) = ('00000000000000aa', 'bbbbbbbbbbbbbbbb', 'cccccccccccccc01');


sub journal {
    $n++;

    return GwJournalFiles->new("$run/journal$n", "$run/tails$n");
}


# what was printed, on both, and the exit status

sub run {
    my ($command, $journal, @args) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        exec($tool, $command, $journal ? ($journal->{dir}, '--tail',
                                          $journal->{tails}) : (), @args);
        exit 127;
    }

    my $said = do { local $/; <$out> } // '';

    close($out);

    diag("signal: $said") if $? & 127;

    return ($said, $? >> 8);
}


sub verify {
    return run('verify', @_);
}


# the ids of events that are printed

sub ids {
    my ($said, $status) = run('cat', @_);

    return join ' ', $said =~ /"id":"\w+?-(m?\d+)"/g;
}


is(crc32c('123456789'), 0xe3069283, 'the checksum of these tests');


subtest 'a sound journal' => sub {
    my $j = journal();
    my $lock = $j->lock($A);

    my @first = (mark($A, 1, 'open', 0), map { event($A, $_) } 1, 3, 2);
    my @second = (event($A, 4), mark($A, 2, 'running', 7), event($A, 6));

    $j->segment($A, 1, \@first, acked => 2, size => 65536);
    $j->segment($A, 2, [$second[0]], size => 65536,
                created => 1_800_000_001_000);
    $j->segment($A, 2, \@second, only_tail => 1, size => 65536, acked => 1,
                created => 1_800_000_001_000);
    $j->segment($A, 3, [], tail => 1, size => 65536);
    $j->table($A, 7, 0, [5, 7]);

    my ($said, $status) = verify($j);

    is($status, 0, 'verify - status');
    like($said, qr/^$A: alive, 7 records\n$A: sequences 1 to 7, 0 missing\n/,
         'verify - requests at work are not missing');

    my $stat = decode_json((run('stat', $j, '--json'))[0]);
    my $gen = $stat->{generations}[0];

    is_deeply([@$gen{qw(generation state node topic cluster first last)}],
              [$A, 'alive', 'gw1', 'gw.usage', '', 1, 6], 'stat - generation');
    is_deeply([@$gen{qw(acknowledged pending events requests damaged)}],
              [3, 4, 5, 2, 0], 'stat - numbers');
    is_deeply($gen->{segments},
              { files => 3, records => 7, bytes => 3 * 65536 },
              'stat - segments');
    is($gen->{oldest}, '2027-01-15T08:00:00.000Z', 'stat - oldest');
    is($stat->{total}{pending}, 4, 'stat - total');

    my $text = (run('stat', $j))[0];

    like($text, qr/^$A: alive, since 2027-01-15T08:00:00.000Z, node "gw1", /,
         'stat - text');
    like($text, qr/^    sequences 1 to 6, 5 events$/m, 'stat - sequences');

    is(ids($j), 'm1 1 3 2 4 m2 6', 'cat - in the order of the journal');
    is(ids($j, '--no-marks', '--unacked'), '3 2 6', 'cat - unacked');
    is(ids($j, '-g', '00'), 'm1 1 3 2 4 m2 6', 'cat - a generation');
    is(ids($j, '-g', 'ff'), '', 'cat - another generation');

    undef $lock;
    unlink("$j->{tails}/$A.live");

    ($said, $status) = verify($j);

    is($status, 1, 'verify - an orphan without table');
    like($said, qr/7 missing|2 missing \(5, 7\): lost, or at work when/,
         'verify - what was at work');
};


subtest 'states' => sub {
    my $j = journal();
    my $lock = $j->lock($A);

    $j->segment($A, 1, [event($A, 1)]);
    $j->lock($B);
    $j->segment($B, 1, [event($B, 1)], created => 1_700_000_000_000,
                node => "n\x{ff}\"", cluster => 'eu');
    $j->segment($C, 1, [event($C, 1)], kind => 'kept', acked => 1,
                created => 1_900_000_000_000);
    $j->segment($C, 2, [event($C, 2)], kind => 'bad');
    $j->segment($C, 0, [event($C, 3)], kind => 'dead');

    my $stat = decode_json((run('stat', $j, '--json'))[0]);

    is_deeply([map { "$_->{generation} $_->{state}" }
               @{ $stat->{generations} }],
              ["$B orphan", "$A alive", "$C drained"], 'the oldest first');
    is($stat->{generations}[0]{node}, "n\x{fffd}\"", 'a name that is no UTF-8');

    for my $kind (qw(kept bad dead)) {
        is($stat->{generations}[2]{$kind}{records}, 1, "$kind files");
    }

    is(ids($j), '1 1', 'cat - segments');
    is(ids($j, '--kept', '--dead'), '1 3', 'cat - kept and dead');
    is(ids($j, '--bad'), '2', 'cat - bad');
    utime(1_899_999_990, 1_899_999_990, "$j->{dir}/$C-00000001.kept");

    is(ids($j, '--kept', '--since', '2030-03-17T17:46:30Z'), '1',
       'cat - written to since');
    is(ids($j, '--kept', '--since', '2030-03-17T17:47Z'), '',
       'cat - not since');
    is(ids($j, '--kept', '--until', '@1899999999'), '', 'cat - made later');

    my ($said, $status) = verify($j);

    is($status, 1, 'verify - status');
    like($said, qr/^\Q$C-00000002.bad\E: put aside as damaged$/m,
         'verify - what is put aside');
};


subtest 'tails are found' => sub {
    my $j = journal();
    my ($dev, $ino) = (stat($j->{dir}))[0, 1];

    rename($j->{tails}, sprintf('%s/gw-usage-%x-%x', $run, $dev, $ino))
        or die "rename: $!\n";
    $j->{tails} = sprintf('%s/gw-usage-%x-%x', $run, $dev, $ino);

    $j->segment($A, 1, [event($A, 1)], only_tail => 1);

    my $said = (run('cat', undef, $j->{dir}, '--tail', $run))[0];

    like($said, qr/"$A-1"/, 'by device and inode');

    is((run('cat', undef, $j->{dir}))[0], '', 'none in the default place');
    is((run('cat', undef, $j->{dir}, '--tail', "$run/none"))[1], 2,
       'not where the user says');
};


subtest 'missing sequences' => sub {
    my @all = map { event($A, $_) } 1 .. 9;

    my @cases = (
        ['nothing', 0, qr/0 missing$/m, [@all]],
        ['gaps', 1, qr/3 missing \(2, 5-6\): lost/, [@all[0, 2, 3, 6 .. 8]]],
        ['the end', 1, qr/2 missing \(10-11\): lost/,
         [@all, mark($A, 1, 'closed', 11)]],
        ['dropped', 0, qr/2 missing \(5-6\): dropped/,
         [@all[0 .. 3, 6 .. 8], mark($A, 1, 'running', 9, 2)]],
        ['more than dropped', 1, qr/2 missing \(5-6\): lost/,
         [@all[0 .. 3, 6 .. 8], mark($A, 1, 'running', 9, 1)]],
        ['twice is no matter', 0, qr/0 missing$/m, [@all, @all]],
    );

    for (@cases) {
        my ($what, $status, $like, $records) = @$_;

        my $j = journal();

        $j->lock($A);
        $j->segment($A, 1, $records);
        $j->table($A, $what eq 'the end' ? 11 : 9, 0, []);

        my @got = verify($j);

        is($got[1], $status, "$what - status");
        like($got[0], $like, $what);
    }
};


subtest 'segments that are done and gone' => sub {
    my $j = journal();

    $j->segment($A, 3, [map({ event($A, $_) } 50, 101, 103),
                        mark($A, 2, 'running', 104),
                        map({ event($A, $_) } 105, 104)]);
    $j->segment($A, 4, [map({ event($A, $_) } 106, 108)]);
    $j->table($A, 108, 0, []);

    my ($said, $status) = verify($j);

    is($status, 1, 'status');
    like($said, qr/sequences 105 to 108, 1 missing \(107\): lost/,
         'only behind the first mark');

    $j->segment($A, 4, [map({ event($A, $_) } 106, 107, 108)]);
    is((verify($j))[1], 0, 'nothing is missing');

    $j = journal();
    $j->segment($A, 3, [map({ event($A, $_) } 50, 101, 103)]);

    ($said, $status) = verify($j);

    is($status, 0, 'no mark - status');
    like($said, qr/no mark tells/, 'no mark');

    # one that is not the first can't be done before the others

    $j = journal();
    $j->lock($A);
    $j->segment($A, $_, [event($A, $_)]) for 1, 3;

    ($said, $status) = verify($j);

    is($status, 1, 'a segment was taken away - status');
    like($said, qr/no segment between 1 and 3/, 'a segment was taken away');
};


subtest 'what was dropped before is no excuse' => sub {
    my @records = (mark($A, 1, 'running', 100, 5),
                   map({ event($A, $_) } 101, 102, 104, 105));

    my @cases = (
        ['no more dropped', 1, qr/1 missing \(103\): lost/, 5],
        ['one more dropped', 0, qr/1 missing \(103\): dropped/, 6],
    );

    for (@cases) {
        my ($what, $status, $like, $dropped) = @$_;

        my $j = journal();

        $j->segment($A, 3, [@records, mark($A, 2, 'closed', 105, $dropped)]);
        $j->table($A, 105, $dropped, []);

        my @got = verify($j);

        is($got[1], $status, "$what - status");
        like($got[0], $like, $what);
    }
};


subtest 'a generation that was drained' => sub {
    my $j = journal();

    my @records = map { event($A, $_) } 1, 2, 4;

    $j->segment($A, 1, \@records, kind => 'kept', acked => 3);

    my ($said, $status) = verify($j);

    is($status, 0, 'its worker died - status');
    like($said, qr/1 missing \(3\): its worker died/, 'its worker died');

    $j->segment($A, 1, [@records, mark($A, 2, 'closed', 4)], kind => 'kept',
                acked => 4);

    ($said, $status) = verify($j);

    is($status, 1, 'it was closed - status');
    like($said, qr/1 missing \(3\): lost/, 'it was closed');
};


subtest 'damage' => sub {
    my @records = map { event($A, $_) } 1 .. 4;
    my $two = 1024 + length($records[0]);
    my $size = length($records[1]);

    my @cases = (
        ['a bit', sub { substr($_[0], $two + 30, 1) ^= "\x01" },
         qr/damaged, $size bytes at $two\n/, '1 3 4'],
        ['the word', sub { substr($_[0], $two, 8) = "\0" x 8 },
         qr/damaged, $size bytes at $two\n/, '1 3 4'],
        ['zeroes', sub { substr($_[0], $two, $size) = "\0" x $size },
         qr/damaged, $size bytes at $two\n/, '1 3 4'],
        ['the size', sub { substr($_[0], $two + 4, 2) = "\x00\x02" },
         qr/damaged, $size bytes at $two\n/, '1 3 4'],
        ['the header', sub { substr($_[0], 40, 1) ^= "\x01" },
         qr/the header is damaged/, '1 2 3 4'],
        ['no header', sub { substr($_[0], 0, 1024) = "\0" x 1024 },
         qr/has no header/, '1 2 3 4'],
    );

    for (@cases) {
        my ($what, $change, $like, $ids) = @$_;

        my $j = journal();

        $j->segment($A, 1, \@records, size => 16384, changed => $change);
        $j->segment($A, 2, [event($A, 5)]);

        my ($said, $status) = verify($j);

        is($status, 1, "$what - verify");
        like($said, $like, "$what - what is damaged");
        is(ids($j), "$ids 5", "$what - the others are printed");

        my @stat = run('stat', $j, '--json');
        is(decode_json($stat[0])->{total}{damaged}, 1, "$what - stat");
        is($stat[1], 1, "$what - stat - status");
    }

    # its worker never could copy it, but could say that all was acknowledged

    my $j = journal();

    $j->segment($A, 1, \@records, size => 16384, changed => sub {
        my $acked = substr($_[0], 64, 16);

        $_[0] = "\0" x length($_[0]);
        substr($_[0], 64, 16) = $acked;
    });
    $j->segment($A, 2, [event($A, 1)]);

    is((verify($j))[1], 0, 'blank but for what is acknowledged - verify');
    is(ids($j), '1', 'blank but for what is acknowledged - the others');

    # over windows of the reader, to a record that lies across their border

    for my $at (map { 1024 + 1048576 + $_ } -128, -64, -8, 0, 8, 1048576) {
        my $j = journal();
        my $bad = $at - 1024 - length($records[0]);

        $j->segment($A, 1, [$records[0], "\xff" x $bad, @records[1 .. 3]]);

        like((verify($j))[0], qr/damaged, $bad bytes at $two\n/,
             "$bad bytes");
        is(ids($j), '1 2 3 4', "$bad bytes - the rest is printed");
    }
};


subtest 'torn tails are no damage' => sub {
    my @records = map { event($A, $_) } 1 .. 3;
    my $whole = 1024 + size_of(@records);

    for my $cut (1, 7, 8, 9, 60, 100) {
        my $end = $whole - length($records[2]);
        my $tear = sub { substr($_[0], $end + $cut) =~ s/./\0/gs };

        my $j = journal();

        $j->segment($A, 1, \@records, size => 8192, changed => $tear);
        $j->segment($A, 2, [], size => 8192);

        my ($said, $status) = verify($j);

        is($status, 0, "$cut bytes - status");
        like($said, qr/torn, \d+ bytes at $end are/, "$cut bytes");
        is(ids($j), '1 2', "$cut bytes - the records before it");

        # in a tail nothing can be torn so: memory knows no power cut

        unlink("$j->{dir}/$A-00000001.seg");
        $j->segment($A, 1, \@records, size => 8192, only_tail => 1,
                    changed => $tear);

        is((verify($j))[1], 1, "$cut bytes - of a tail");

        # nor before other records

        $j->segment($A, 1, \@records, size => 8192, changed => $tear);
        $j->segment($A, 2, [event($A, 4)], size => 8192);
        unlink("$j->{tails}/$A-00000001.seg");

        ($said, $status) = verify($j);

        is($status, 1, "$cut bytes, then others - status");
        like($said, qr/damaged, \d+ bytes at $end$/m,
             "$cut bytes, then others");
    }

    # a worker that was killed: the first word comes last

    my $j = journal();

    $j->segment($A, 1, \@records, size => 8192, only_tail => 1,
                changed => sub {
                    substr($_[0], $whole - length($records[2]), 8)
                        = "\0" x 8;
                });
    $j->table($A, 3, 0, [3]);

    is((verify($j))[1], 0, 'a killed worker');
    is(ids($j), '1 2', 'a killed worker - the records before it');
};


# each of them is a generation of its own

subtest 'cut at every byte, and each bit wrong' => sub {
    my @records = map { event($A, $_) } 1 .. 3;
    my $j = journal();

    my $bytes = 1024 + size_of(@records);
    my $first = 1024 + length($records[0]);
    my $bits = 8 * length($records[1]);

    my (%want, %got);

    for my $len (0 .. $bytes) {
        my $generation = sprintf('c%015x', $len);

        $want{$generation} = grep {
            $len >= 1024 + size_of(@records[0 .. $_ - 1])
        } 1 .. 3;

        $j->segment($generation, 1, \@records,
                    changed => sub { substr($_[0], $len) = '' });
    }

    for my $bit (0 .. $bits - 1) {
        my $generation = sprintf('b%015x', $bit);

        $want{$generation} = '1 to 3, 2';

        $j->segment($generation, 1, \@records,
                    changed => sub { vec($_[0], 8 * $first + $bit, 1) ^= 1 });
    }

    my ($said, $status) = run('stat', $j, '--json');

    for (@{ decode_json($said)->{generations} }) {
        $got{ $_->{generation} } = $_->{generation} =~ /\Ac/
            ? $_->{events} : "$_->{first} to $_->{last}, $_->{events}";
    }

    is($status, 1, 'stat - status');
    is_deeply(\%got, \%want, 'stat - what is whole');

    ($said, $status) = verify($j);

    is($status, 1, 'verify - status');
    is(scalar(() = $said =~ /^b\w+-00000001\.seg: damaged, .* at $first$/mg),
       $bits, 'verify - each wrong bit is damage');

    # no header, and what ends where a record does: nothing to be said

    is(scalar(() = $said =~ /^c\w+-00000001\.seg: torn/mg),
       size_of(@records) - 3, 'verify - what is torn');
    unlike($said, qr/^c\w+\.seg: damaged/m, 'verify - is no damage');

    my $printed = 2 * $bits;

    $printed += $want{$_} for grep { /\Ac/ } keys %want;

    is(scalar(() = (run('cat', $j))[0] =~ /^\{"specversion".*\}$/mg),
       $printed, 'cat - all of it');
};


subtest 'files of others' => sub {
    my $j = journal();

    $j->segment($A, 1, [event($A, 1)]);
    $j->segment($B, 1, [event($B, 1)], version => 9);
    symlink('/dev/zero', "$j->{dir}/$C-00000001.seg");
    mkdir("$j->{dir}/$C-00000002.seg");
    GwJournalFiles::write_file("$j->{dir}/notes.txt", 'hello');
    GwJournalFiles::write_file("$j->{tails}/$A.live", 'hello');

    my ($said, $status) = verify($j);

    is($status, 2, 'verify - status');
    like($said, qr/\Q$B-00000001.seg\E: of a version/, 'verify - version');
    like($said, qr/\Q$C-00000001.seg\E: /, 'verify - a link');
    like($said, qr/\Q$C-00000002.seg\E: /, 'verify - a folder');
    like($said, qr/\Q$A.live\E: not a table/, 'verify - a table');

    like((run('cat', $j))[0], qr/"$A-1"/, 'cat - what can be read');
    is((run('stat', $j))[1], 2, 'stat - status');
};


subtest 'replay' => sub {
    my $j = journal();
    my $g = sprintf('%016x', time() << 20 | $$);
    my $h = sprintf('%016x', (time() << 20 | $$) + 1);

    my $lock = $j->lock($g);

    my @records = (event($g, 1), event($g, 2, key => 'alice'), event($g, 3),
                   mark($g, 1, 'running', 3));

    $j->segment($g, 1, \@records, kind => 'kept', acked => 4);
    $j->segment($g, 2, [event($g, 4)]);
    $j->segment($g, 0, [event($g, 5)], kind => 'dead');

    $j->segment($h, 1, [map { event($h, $_) } 1 .. 3], acked => 1,
                topic => 'gw.usage');
    $j->lock($h);

    my @to = ('-b', $ENV{TEST_NGINX_KAFKA}, '-X', 'linger.ms=5');

    is((run('replay', $j, @to))[1], 2, 'nothing by default');
    is((run('replay', $j, '--kept'))[1], 2, 'no brokers');

    my ($said, $status) = run('replay', $j, '--orphans', '--kept',
                              '--dry-run');

    is($status, 0, 'dry run - status');
    like($said, qr/^2 records of 1 files, .*nothing was sent/m, 'dry run');
    is(messages($g, $h), '', 'dry run - nothing was sent');

    ($said, $status) = run('replay', $j, '--orphans', '--kept', '--dead',
                           @to);

    is($status, 0, 'orphans - status');
    like($said, qr/$g: 2 files left out, its worker lives/,
         'of a living worker nothing');
    like($said, qr/^2 records of 1 files, 2 acknowledged, 0 not/m,
         'orphans - numbers');
    is(messages($g, $h), "$h $h-2\n$h $h-3\n",
       'orphans - what was not acknowledged');

    ($said, $status) = run('replay', $j, '--kept', '--force-kept', @to,
                           '-g', $g);

    is($status, 0, 'kept - status');
    is(messages($g), "$g $g-1\n$g $g-3\n$g $g-m1\nalice $g-2\n",
       'kept - with the keys they had');

    ($said, $status) = run('replay', $j, '--dead', '--force-dead',
                           '--since', '2099-01-01', @to);

    like($said, qr/^0 records/m, 'since');

    ($said, $status) = run('replay', $j, '--dead', '--force-dead', @to);

    like(messages($g), qr/^$g $g-5$/m, 'dead letters');
    unlike(messages($g), qr/$g-4/, 'never what a worker is writing');

    my @files = sort map { s{.*/}{}r } glob("$j->{dir}/*");

    is("@files", "$g-00000001.kept $g-00000002.seg $g.dead $g.lock"
                 . " $h-00000001.seg $h.lock", 'the files are left alone');
};


subtest 'replay that fails' => sub {
    my $j = journal();
    my $port = GWTest::free_port();

    $j->segment($A, 1, [map { event($A, $_) } 1 .. 3]);

    my ($said, $status) = run('replay', $j, '--orphans', '-b',
                              "127.0.0.1:$port", '-X',
                              'message.timeout.ms=300', '-X', 'linger.ms=5');

    is($status, 1, 'no broker - status');
    like($said, qr/^3 records of 1 files, 0 acknowledged, 3 not/m,
         'no broker - numbers');
    like($said, qr/not acknowledged: /, 'no broker - why');

    my $file = "$run/properties";

    for ('sasl.password', '=x', 'no.such=s3cret', 'linger.ms=s3cret',
         'acks=0', 'transactional.id=s3cret')
    {
        ($said, $status) = run('replay', $j, '--orphans', '-b', 'x', '-X', $_);

        is($status, 2, "-X $_");
        unlike($said, qr/s3cret/, "-X $_ - the value is not told");

        GwJournalFiles::write_file($file, "# properties\n\nlinger.ms=5 \n"
                                          . "  $_\n");

        ($said, $status) = run('replay', $j, '--orphans', '-b', 'x', '-F',
                               $file);

        is($status, 2, "$_ in a file");
        unlike($said, qr/s3cret/, "$_ in a file - the value is not told");
    }

    # without the topic of the segment

    $j->segment($A, 1, [event($A, 1)],
                changed => sub { substr($_[0], 40, 1) ^= "\x01" });

    ($said, $status) = run('replay', $j, '--orphans', '--dry-run');

    is($status, 2, 'no topic - status');
    like($said, qr/-t has to tell the topic/, 'no topic');
    like((run('replay', $j, '--orphans', '--dry-run', '-t', 'x'))[0],
         qr/^1 records of 1 files/m, 'a topic by -t');
};


subtest 'usage' => sub {
    my $j = journal();

    for ([], ['stat'], ['no'], ['stat', $j->{dir}, $j->{dir}],
         ['stat', $j->{dir}, '--kept'], ['cat', $j->{dir}, '--json'],
         ['cat', $j->{dir}, '--since', 'soon'], ['cat', "$run/none"],
         ['cat', $j->{dir}, '-g', 'xyz'], ['verify', $j->{dir}, '--nonsense'])
    {
        my ($said, $status) = run(shift @$_ // '--', undef, @$_);

        is($status, 2, "status of: @$_");
        isnt($said, '', "says why: @$_");
    }

    for ('--help', 'cat') {
        my ($said, $status) = run($_, undef, '--help');

        is($status, 0, "$_ - help");
        like($said, qr/^Usage: gw-journal stat/, "$_ - text");
    }

    is((run('stat', $j))[1], 0, 'an empty folder');
};


# "KEY ID" of those with these generations, sorted

sub messages {
    my $wanted = join '|', @_;

    open(my $fh, '-|', 'kcat', '-C', '-q', '-e', '-b', $ENV{TEST_NGINX_KAFKA},
         '-X', 'fetch.wait.max.ms=10', '-t', 'gw.usage', '-o', 'beginning',
         '-f', '%k %s\n') or die "kcat: $!\n";

    my %seen;

    while (<$fh>) {
        $seen{"$1 $2\n"}++ if /\A(\S+) .*?"id":"((?:$wanted)-m?\d+)"/;
    }

    close($fh);

    return join '', map { $_ x $seen{$_} } sort keys %seen;
}


done_testing();
