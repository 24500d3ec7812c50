# Copyright (C) The nginx gateway modules authors

# Writes journals of usage events for tests: the format once more, from its
# description alone.
#
#     my $journal = GwJournalFiles->new($dir, $tails);
#
#     $journal->segment($generation, $number, \@records, %options);
#     $journal->table($generation, $last, $dropped, \@sequences, $slots);
#     $journal->lock($generation);
#
# A record is event($generation, $sequence), mark($generation, $number,
# $state, $sequence, $dropped), or any bytes.  Options of a segment: kind
# ("seg"), tail => 1 (into the tails, too), only_tail, created (ms), acked (so
# many records), size (of the file, zeroes at the end), node, topic, cluster,
# version, changed => sub { changes the bytes in $_[0] }.
#
# lock() holds the lock as a worker does, until what it returns is gone; it
# leaves the file.  size_of(RECORD, ...) is how many bytes they take.

package GwJournalFiles;

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);


our @EXPORT_OK = qw(event mark record size_of crc32c);

my @crc_table = map {
    my $crc = $_;
    $crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
    $crc;
} 0 .. 255;


sub crc32c {
    my $crc = 0xffffffff;

    $crc = $crc_table[($crc ^ $_) & 0xff] ^ ($crc >> 8) for unpack('C*', $_[0]);

    return $crc ^ 0xffffffff;
}


sub record {
    my ($sequence, $type, $key, $text) = @_;

    my $body = pack('Q<S<S<S<S<', $sequence, $type, length($key),
                    length($text), 0) . $key . $text;

    $body .= "\0" x (-length($body) & 7);

    my $head = pack('S<S<', 8 + length($body), 0xfffe);

    return pack('L<', crc32c($head . $body)) . $head . $body;
}


sub event {
    my ($generation, $sequence, %arg) = @_;

    return record($sequence, 1, $arg{key} // '',
                  qq({"specversion":"1.0","id":"$generation-$sequence",)
                  . '"source":"gw1","type":"gw.usage.v1","data":{"api":"'
                  . ($arg{api} // 'orders') . '"}}');
}


sub mark {
    my ($generation, $number, $state, $sequence, $dropped) = @_;

    $dropped //= 0;

    return record($number, 2, '',
                  qq({"specversion":"1.0","id":"$generation-m$number",)
                  . '"source":"gw1","type":"gw.usage.mark.v1","data":{'
                  . qq("state":"$state","generation":"$generation",)
                  . qq("sequence":$sequence,"dropped":$dropped}}));
}


sub size_of {
    my $n = 0;

    $n += length for @_;

    return $n;
}


sub new {
    my ($class, $dir, $tails) = @_;

    for ($dir, $tails) {
        -d or mkdir or die "$_: $!\n";
    }

    return bless { dir => $dir, tails => $tails }, $class;
}


sub segment {
    my ($self, $generation, $number, $records, %arg) = @_;

    my $kind = $arg{kind} // 'seg';
    my $name = $kind eq 'dead' ? "$generation.dead"
                               : sprintf('%s-%08d.%s', $generation, $number,
                                         $kind);

    my $acked = 1024 + size_of(@$records[0 .. ($arg{acked} // 0) - 1]);

    my $bytes = header($generation, $number, $acked, %arg)
                . join('', @$records);

    $bytes .= "\0" x ($arg{size} - length($bytes)) if $arg{size};
    $arg{changed}->($bytes) if $arg{changed};

    write_file("$self->{dir}/$name", $bytes) if !$arg{only_tail};
    write_file("$self->{tails}/$name", $bytes) if $arg{tail}
                                                  || $arg{only_tail};

    return $name;
}


# the crc leaves out itself and the acknowledged offset

sub header {
    my ($generation, $number, $acked, %arg) = @_;

    my ($node, $topic, $cluster)
        = ($arg{node} // 'gw1', $arg{topic} // 'gw.usage',
           $arg{cluster} // '');

    my $begin = "gw.jrnl\n" . pack('L<', $arg{version} // 1);

    my $rest = pack('Q<Q<L<S<S<S<', hex64($generation),
                    $arg{created} // 1_800_000_000_000, $number,
                    length($node), length($topic), length($cluster))
               . "\0" x 22;

    my $names = $node . $topic . $cluster;
    $names .= "\0" x (1024 - 80 - length($names));

    return $begin . pack('L<', crc32c($begin . $rest . $names)) . $rest
           . pack('Q<Q<', $acked, ~$acked) . $names;
}


sub hex64 {
    no warnings 'portable';
    return hex(shift);
}


sub table {
    my ($self, $generation, $last, $dropped, $sequences, $slots) = @_;

    $slots //= @$sequences + 4;

    my $head = "gw.live\n"
               . pack('L<L<Q<S<a256S<', 1, $slots, hex64($generation), 3,
                      'gw1', 0);

    my $bytes = $head . pack('L<', crc32c($head))
                . pack('Q<Q<Q<Q<Q<', 0, $last, $dropped, 0, 0);
    $bytes .= "\0" x (512 - length($bytes));

    for my $i (0 .. $slots - 1) {
        my $slot = pack('Q<q<S<S<S<S<', $sequences->[$i] // 0,
                        1_800_000_000_000, 4, 6, 5, 0) . 'r123ordersalice';

        $bytes .= $slot . "\0" x (768 - length($slot));
    }

    write_file("$self->{tails}/$generation.live", $bytes);
}


sub lock {
    my ($self, $generation) = @_;

    open(my $fh, '>', "$self->{dir}/$generation.lock") or die "lock: $!\n";
    flock($fh, LOCK_EX|LOCK_NB) or die "flock: $!\n";

    return $fh;
}


sub write_file {
    my ($path, $bytes) = @_;

    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $bytes;
    close($fh) or die "$path: $!\n";
}


1;
