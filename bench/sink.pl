#!/usr/bin/perl

# Copyright (C) The nginx gateway modules authors

# A broker for clients too old for the real one: it understands only Metadata
# and Produce of version 0, which Kafka 4 does not any more, takes every
# message, and keeps none.
#
#     bench/sink.pl PORT COUNT
#
# The file COUNT always tells how many messages came.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

my ($port, $count) = @ARGV;
my $messages = 0;
my %input;

open my $file, '>', $count or die "$count: $!\n";

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128,
                                   LocalPort => $port, ReuseAddr => 1)
    or die "listen: $!\n";

my $select = IO::Select->new($listen);

tell_count();

while (1) {
    for my $socket ($select->can_read()) {

        if ($socket == $listen) {
            my $new = $listen->accept() or next;
            $select->add($new);
            $input{$new} = '';
            next;
        }

        my $n = sysread $socket, $input{$socket}, 1 << 20,
                        length $input{$socket};

        if (!$n) {
            delete $input{$socket};
            $select->remove($socket);
            close $socket;
            next;
        }

        serve($socket);
    }
}


sub serve {
    my $socket = shift;

    while (length $input{$socket} >= 4) {
        my $len = unpack 'N', $input{$socket};

        last if length $input{$socket} < 4 + $len;

        my $request = substr $input{$socket}, 4, $len;
        substr $input{$socket}, 0, 4 + $len, '';

        my $answer = answer($request);
        my $packet = pack 'N/a', $answer;

        syswrite($socket, $packet) == length $packet or die "write: $!\n";
    }
}


sub answer {
    my ($key, $version, $id, $client, $body) = unpack 'n n N n/a a*', shift;

    die "request $key of version $version\n" if $version;

    return pack('N', $id) . metadata($body) if $key == 3;
    return pack('N', $id) . produce($body) if $key == 0;

    die "request $key\n";
}


# one broker; one partition of each topic, of which it is the leader

sub metadata {
    my @topics = unpack 'N/(n/a)', shift;

    return pack 'N N n/a N N/(a*)', 1, 1, '127.0.0.1', $port,
                map { pack 'n n/a N n N N N N N N', 0, $_, 1, 0, 0, 1, 1, 1,
                           1, 1 } @topics;
}


sub produce {
    my ($acks, $timeout, $topics, $rest) = unpack 'n N N a*', shift;
    my $answer = pack 'N', $topics;

    for (1 .. $topics) {
        (my $topic, my $partitions, $rest) = unpack 'n/a N a*', $rest;
        $answer .= pack 'n/a N', $topic, $partitions;

        for (1 .. $partitions) {
            (my $partition, my $set, $rest) = unpack 'N N/a a*', $rest;
            count($set);
            $answer .= pack 'N n q>', $partition, 0, $messages;
        }
    }

    tell_count();

    return $answer;
}


sub count {
    my $set = shift;

    for (my $at = 0; $at < length $set; $messages++) {
        $at += 12 + unpack 'N', substr $set, $at + 8, 4;
    }
}


sub tell_count {
    sysseek $file, 0, 0;
    syswrite $file, sprintf "%010d\n", $messages;
}
