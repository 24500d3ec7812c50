# Copyright (C) The nginx gateway modules authors

# What a killed nginx left is damaged then: cut at each byte of a record,
# with wrong bits, without any byte, full of something else; and there are
# files of others.  The next nginx starts, sends all that is sound, puts
# aside what is damaged, leaves alone what is not its own, counts both, and
# comes to an end.

use strict;
use warnings;

use Test::More;

use GWMeterFault;
use GWMeterProof;
use GWTest;
use GwJournalFiles qw(record);


my $HEADER = 1024;

my $kafka = GWTest::Server->new('mock-kafka', 'damage-kafka');
my $meter = GWMeterFault->new(
    kafka => $kafka, workers => 2, listen => 'reuseport',
    journal => 'size=256m sync=20ms segment=64k node=gw1',
    http => 'gw_usage_kafka_set linger.ms 5;');

# ID => 1: those that have to arrive, and those that can't

my (%sound, %damaged);
my $places = 0;
my $made = 0;


sub spew {
    my ($name, $bytes) = @_;

    GwJournalFiles::write_file($meter->journal . "/$name", $bytes);
}


sub slurp {
    my ($path) = @_;

    return GWTest::slurp($path) || die "$path: $!\n";
}


# A generation of segments like those of the worker that was killed: each has
# three events, the second of which, if not all of it, is changed by one of
# the handlers, called with the bytes, where that record is, and its size.
# They return how many events in the segment are sound: "013" are the first,
# none, and the third; and how many damaged places there are.

my $template;


sub event {
    my ($generation, $sequence) = @_;

    my $request = sprintf('%08x%s%08x', ++$made, $generation, $sequence);
    my $text = $template;

    $text =~ s/"id":"[^"]+"/"id":"$generation-$sequence"/ or die;
    $text =~ s/"request_id":"\w+"/"request_id":"$request"/ or die;

    return record($sequence, 1, '', $text);
}


sub generation {
    my ($generation, @changes) = @_;

    my $number = 0;

    for my $change (@changes) {
        my @records = map { event($generation, 3 * $number + $_) } 1 .. 3;

        my $bytes = GwJournalFiles::header(
                        $generation, ++$number, $HEADER,
                        topic => $meter->{topic}) . join '', @records;

        my ($left, $bad)
            = $change->($bytes, $HEADER + length $records[0],
                        length $records[1]);

        for (1 .. 3) {
            my $id = "$generation-" . (3 * $number - 3 + $_);

            ($left =~ /$_/ ? \%sound : \%damaged)->{$id} = 1;
        }

        $places += $bad;
        spew(sprintf('%s-%08d.seg', $generation, $number), $bytes);
    }
}


# those behind it are in other segments: less than 8 bytes are the end

sub cut_at {
    my ($offset) = @_;

    return sub {
        my ($start, $size) = @_[1, 2];

        substr($_[0], $start + $offset) = '';

        return (1, $offset >= 8 ? 1 : 0);
    };
}


sub wrong_bit {
    my ($bit) = @_;

    return sub {
        vec($_[0], 8 * $_[1] + $bit, 1) ^= 1;

        return ('13', 1);
    };
}


# of what is left in the journal, that which this nginx has to take, and whether
# somebody has its lock

sub ours {
    my $all = $meter->generations;

    return map { [ $_, $all->{$_} ] } grep { !/\A([1-7e])\1{15}\z/ } keys %$all;
}


# those of the workers are left: who drains another one has its lock, too

sub is_drained {
    my @ours = ours();

    return @ours == 2 && !grep { !$_->[1] } @ours;
}


# until nothing is left: a busy machine may deliver the last marks later

sub stop {
    for (1 .. 10) {
        wait_for(\&is_drained, 'all that is ours to be drained', 240);
        $meter->stop;

        last if !ours();

        $meter->start;
    }
}


# where the text of an event in the middle of a segment begins

sub middle {
    my ($bytes) = @_;

    my @found;

    push @found, $-[0]
        while $bytes =~ /\{"specversion":"1\.0","id":"\w{16}-\d+"/g;

    return $found[@found / 2];
}


# What nginx left when it was killed.  Kafka never gets any of it: then it
# would arrive, whatever happens to the files.

$kafka->order('down all');

my $traffic = $meter->traffic(rate => 400, n => 8);

wait_for(sub { $traffic->count >= 1200 }, 'requests');
$traffic->stop;
wait_for(sub { $meter->metric('requests') == 0 }, 'no request', 120);
$meter->kill_all('KILL');

my ($tails) = glob $meter->tails . '/*';

for (grep { /\.seg\z/ } $meter->files) {
    $template //= $1
        if slurp($_) =~ /(\{"specversion":"1\.0","id":"\w+-\d+",[^\0\n]*?
                          "type":"gw\.usage\.v1",[^\0]*?\}\})/x;
}

# files of a segment that has events: that in memory has all, and comes last

sub segments {
    my ($generation) = @_;

    my %files;

    for ($meter->journal, $tails) {
        push @{$files{(m{([^/]+)\z})[0]}}, $_ for glob "$_/$generation-*.seg";
    }

    return grep { defined middle(slurp($_->[-1])) }
           map { $files{$_} } sort keys %files;
}


# the master may have started one more before it was killed, which has none

my @real = grep { segments($_) } sort keys %{$meter->generations};

is(scalar @real, 2, 'two workers left something');

# of one of them a segment has a wrong bit, of the other the last one is cut:
# within an event, in memory and on disk

my ($first) = segments($real[0]);
my ($last) = (segments($real[1]))[-1];
my $bytes = slurp($first->[-1]);

vec($bytes, 8 * (middle($bytes) + 50), 1) ^= 1;
GwJournalFiles::write_file($_, $bytes) for @$first;

my $inside = middle(slurp($last->[-1])) + 50;

truncate($_, $inside) || die "$_: $!\n" for @$last;

# an independent look at what is left: by the tool, without nginx

my ($said) = $meter->tool('cat');

$sound{$_} = 1 for $said =~ /"id":"(\w{16}-\d+)"/g;

for (map { (split / /)[0] } split /\n/, $meter->access_log) {
    $damaged{$_} = 1 if $_ ne '-' && !$sound{$_};
}

my $lost = keys %damaged;

cmp_ok($lost, '>', 1, "$lost events of the killed nginx are damaged");
$places += 2;


# each of these is a case of its own, many are in one generation

my $size = length event('f' x 16, 1);
my @cuts = (0 .. $size - 1);

generation('c' x 16, map { cut_at($_) } @cuts);
generation('b' x 16, map { wrong_bit($_) }
                     0 .. 8 * 24 - 1, map { 8 * $_ + $_ % 8 } 24 .. $size - 9);
diag(scalar(@cuts) . ' cuts, ' . (8 * 24 + $size - 32) . ' wrong bits');

# other damage: the header, all of it, nothing at all

generation('a' x 16, sub { $_[0] = ''; return ('', 0) },
                     sub { substr($_[0], 500) = ''; return ('', 0) },
                     sub { substr($_[0], 0, 100) = "\xff" x 100;
                           return ('123', 0) },
                     sub { substr($_[0], $HEADER) = "\xaa" x 9000;
                           return ('', 1) },
                     sub { $_[0] = ~$_[0]; return ('', 1) },
                     sub { $_[0] .= "\0" x 9000; return ('123', 0) },
                     sub { return ('123', 0) });
generation('a' . 'e' x 15, sub { $_[0] = ''; return ('', 0) });
generation('a' . 'd' x 15, sub { $_[0] = 'x'; return ('', 0) });

# its table is none

generation('d' x 16, sub { return ('123', 0) });
GwJournalFiles::write_file("$tails/" . 'd' x 16 . '.live', 'x' x 5000);

# not ours: none of it may arrive

my $others = GwJournalFiles->new($meter->journal, $tails);
my %foreign = (e => [ version => 9 ], '1' => [ node => 'gw2' ],
               '2' => [ topic => 'other' ], '3' => [ cluster => 'eu' ]);

for (sort keys %foreign) {
    my $generation = $_ x 16;

    $others->segment($generation, 1, [ event($generation, 1) ],
                     topic => $meter->{topic}, @{$foreign{$_}});
    $damaged{"$generation-1"} = 1;
}

# names that mean nothing, and files that are none

spew($_, 'hello') for 'notes.txt', '7' x 16 . '-1.seg', '7' x 16 . '.seg',
                      '9' x 16 . '.lock';
mkdir $meter->journal . '/' . '4' x 16 . '-00000001.seg';
symlink('/dev/zero', $meter->journal . '/' . '5' x 16 . '-00000001.seg');
symlink('/nowhere', $meter->journal . '/' . '6' x 16 . '.lock');

for (glob($meter->journal . '/*'), glob("$tails/*")) {
    chown((stat $meter->journal)[4, 5], $_) if !-l;
}


# and now nginx

$kafka->order('up all');
$meter->start;

my @workers = $meter->workers;

my $drained = eval { wait_for(\&is_drained, 'all that is ours', 240) };

ok($drained, 'it comes to an end') or diag($@, join "\n", $meter->files);
ok($meter->metrics_are(corrupt_total => $places, journals_foreign => 4),
   "$places damaged places and 4 foreign generations are counted");

my @bad = $meter->aside('bad');

is(scalar @bad, 16, 'damaged files are put aside, the newest stay');
is_deeply([ $meter->workers ], \@workers, 'workers are alive');
is($meter->get('/here')->{status}, 200, 'requests are answered');

for (sort keys %foreign) {
    ok(-f $meter->journal . '/' . $_ x 16 . '-00000001.seg',
       "what is foreign stays: @{$foreign{$_}}");
}

like($meter->error_log, qr/ are of another node, topic, cluster or version/,
     'the log tells of those that are foreign');
like($meter->error_log, qr/\[\w+\] .* gw journal: .* bytes/,
     'and of those that are damaged');


# once more: what is left is no reason to do anything

my $adopted = $meter->metric('adopted_total');

stop();
$meter->start;
wait_for(sub { $meter->metric('journals_foreign') == 4 }, 'a look', 120);
is($meter->metric('adopted_total'), 0, 'nothing is adopted again');
stop();

my $proof = $meter->prove(GWMeterProof->new(power => 1));

diag($proof->report =~ s/.*\n//sr);
diag("$adopted generations were adopted");

is_deeply([ sort grep { !$proof->has($_) } keys %sound ], [],
          scalar(keys %sound) . ' sound events have arrived');
is_deeply([ sort grep { $proof->has($_) } keys %damaged ], [],
          scalar(keys %damaged) . ' others have not');

# those of the killed workers are gaps, for their tables tell the last one

my $losses = $meter->losses($proof);

is(scalar(keys %{$losses->{ids}}), $lost, 'gaps tell what is missing');
is_deeply($losses->{others}, [], 'and nothing else is wrong');
is_deeply([ grep { !/\[crit\] .* gw journal: / } $meter->trouble ], [],
          'no alert in the error log');

done_testing();
