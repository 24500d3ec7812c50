package GWRedis;

# Copyright (C) The nginx gateway modules authors

# Servers that the Redis client talks to in tests.
#
#     my $fake = GWRedis::Fake->new;
#
#     $fake->says(SELECT => '-ERR no');
#     is($fake->count('HGETALL'), 0);
#
# GWRedis::Fake is a Redis that answers as it is told, for faults a real one
# does not have; otherwise "+OK", "+PONG" to PING, "*0" to HGETALL.
#
#   ->port
#   ->says(COMMAND => TEXT, ...)   the answer, without the end of its line;
#                   '' is no answer, undef the usual one, "close" closes
#   ->holds(COMMAND, TEXT)   answers, so or as usual, after ->frees(COMMAND)
#   ->count(COMMAND)    how often it was asked; ->forget starts again
#   ->clients           connections now
#
# GWRedis::Dns is a name server.
#
#   ->port
#   ->knows(NAME => ADDRESS or [ADDRESS, ...] or undef)   IPv4
#   ->asked             questions so far
#
# GWRedis::certificates($dir) makes a CA and certificates in a folder: ca.pem,
# other.pem (another CA), and NAME.pem with NAME.key for good (redis.test and
# 127.0.0.1), named (redis.test alone), expired, alien (of the other CA) and
# client.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

my $owner = $$;
my @children;


END {
    if ($$ == $owner) {
        my $status = $?;

        for my $pid (@children) {
            kill('KILL', $pid);
            waitpid($pid, 0);
        }

        $? = $status;
    }
}


sub child {
    my $code = shift;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(HUP INT TERM);
        eval { $code->(); 1 } or print STDERR "GWRedis: $@";
        POSIX::_exit(1);
    }

    push @children, $pid;
}


sub openssl {
    my $dir = shift;

    open(my $fh, '-|', 'sh', '-c', 'cd "$0" && exec openssl "$@" 2>&1', $dir,
         @_) or die "openssl: $!\n";

    my $said = do { local $/; <$fh> };

    close($fh) or die "openssl @_: $said";
}


sub certificates {
    my $dir = shift;

    my @ec = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

    for my $ca (qw(ca other)) {
        openssl($dir, 'req', '-x509', @ec, '-keyout', "$ca.key", '-out',
                "$ca.pem", '-subj', "/CN=$ca", '-days', 30);
    }

    my %names = (good => 'DNS:redis.test,IP:127.0.0.1',
                 named => 'DNS:redis.test',
                 expired => 'DNS:redis.test,IP:127.0.0.1',
                 alien => 'DNS:redis.test,IP:127.0.0.1',
                 client => 'DNS:gateway.test');

    for my $name (sort keys %names) {
        my $ca = $name eq 'alien' ? 'other' : 'ca';

        # newer versions of openssl make none that ends before it begins

        my @days = $name eq 'expired' ? ('-days', 0) : ('-days', 30);

        open(my $fh, '>', "$dir/$name.ext") or die "$name.ext: $!\n";
        print $fh "subjectAltName=$names{$name}\n";
        close($fh);

        openssl($dir, 'req', @ec, '-keyout', "$name.key", '-out',
                "$name.csr", '-subj', "/CN=$name");
        openssl($dir, 'x509', '-req', '-in', "$name.csr", '-CA', "$ca.pem",
                '-CAkey', "$ca.key", '-CAcreateserial', '-out', "$name.pem",
                '-extfile', "$name.ext", @days);
    }

    sleep 0.1 while system("openssl x509 -checkend 0 -noout -in "
                           . "$dir/expired.pem > $dir/checkend.txt 2>&1") == 0;
}


package GWRedis::Fake;


sub new {
    my $class = shift;

    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                       ReuseAddr => 1)
        or die "listen: $!\n";

    my $self = bless { port => $socket->sockport }, $class;

    GWRedis::child(sub { serve($socket) });

    return $self;
}


sub port { return $_[0]{port} }


# its own commands begin with "FAKE"

sub ask {
    my ($self, @words) = @_;

    my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}",
                                  Timeout => 10)
        or die "fake redis: $!\n";

    print $c '*' . @words . "\r\n"
             . join('', map { '$' . length() . "\r\n$_\r\n" } @words);
    $c->flush;

    my $line = <$c> // die "fake redis: no answer\n";

    $line =~ s/\A[+:]//;
    $line =~ s/\r\n\z//;

    return $line;
}


sub says {
    my ($self, %answer) = @_;

    for (sort keys %answer) {
        $self->ask('FAKE', 'SAYS', $_, $answer{$_} // 'usual');
    }
}


sub holds   { return $_[0]->ask('FAKE', 'SAYS', $_[1], 'hold' . ($_[2] // '')) }
sub frees   { return $_[0]->ask('FAKE', 'FREES', $_[1]) }
sub count   { return $_[0]->ask('FAKE', 'COUNT', $_[1]) }
sub forget  { return $_[0]->ask('FAKE', 'FORGET') }
sub clients { return $_[0]->ask('FAKE', 'CLIENTS') }


sub serve {
    my $socket = shift;

    my %usual = (PING => '+PONG', HGETALL => '*0');
    my $all = IO::Select->new($socket);
    my (%in, %says, %count, %held);

    while (my @ready = $all->can_read) {
        for my $c (@ready) {

            if ($c == $socket) {
                $all->add($socket->accept);
                next;
            }

            if (!sysread($c, $in{$c}, 65536, length($in{$c} // ''))) {
                $all->remove($c);
                delete $in{$c};
                close($c);
                next;
            }

            if ($in{$c} !~ /\A[*]/) {
                syswrite($c, "-ERR Protocol error\r\n");
                $all->remove($c);
                delete $in{$c};
                close($c);
                next;
            }

            while (my @words = command(\$in{$c})) {
                my $name = uc $words[0];

                if ($name eq 'FAKE') {
                    my ($what, $of, $text) = @words[1 .. 3];
                    my $answer = '+OK';

                    $what eq 'SAYS' and $says{$of} = $text;
                    $what eq 'COUNT' and $answer = ':' . ($count{$of} // 0);
                    $what eq 'FORGET' and %count = ();
                    $what eq 'CLIENTS' and $answer = ':' . ($all->count - 2);

                    if ($what eq 'FREES') {
                        delete $says{$of};
                        syswrite($_->[0], $_->[1]) for @{$held{$of} // []};
                        delete $held{$of};
                    }

                    syswrite($c, "$answer\r\n");
                    next;
                }

                $count{$name}++;

                my $answer = $says{$name} // 'usual';

                $answer = $usual{$name} // '+OK' if $answer eq 'usual';

                if ($answer eq 'close') {
                    $all->remove($c);
                    delete $in{$c};
                    close($c);
                    last;
                }

                if ($answer =~ s/\Ahold//) {
                    $answer = $usual{$name} // '+OK' if $answer eq '';
                    push @{$held{$name}}, [$c, "$answer\r\n"];
                    next;
                }

                syswrite($c, "$answer\r\n") if $answer ne '';
            }
        }
    }
}


sub command {
    my $in = shift;

    my $text = $$in // '';

    $text =~ s/\A\*(\d+)\r\n// or return;

    my @words;

    for (1 .. $1) {
        $text =~ s/\A\$(\d+)\r\n// or return;
        length $text >= $1 + 2 or return;
        push @words, substr($text, 0, $1);
        substr($text, 0, $1 + 2) = '';
    }

    $$in = $text;

    return @words;
}


package GWRedis::Dns;


sub new {
    my $class = shift;

    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       Proto => 'udp')
        or die "bind: $!\n";

    my $self = bless { port => $socket->sockport }, $class;

    GWRedis::child(sub { serve($socket) });

    return $self;
}


sub port { return $_[0]{port} }


# text that begins with "!" is for the server itself

sub ask {
    my ($self, $text) = @_;

    my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}",
                                  Proto => 'udp') or die "udp: $!\n";

    $c->send("!$text");
    IO::Select->new($c)->can_read(10) or die "name server: no answer\n";
    $c->recv(my $answer, 512);

    return $answer;
}


sub knows {
    my ($self, $name, $address) = @_;

    $self->ask(join ' ', $name, ref $address ? @$address : $address // ());
}


sub asked { return $_[0]->ask('?') }


sub serve {
    my $socket = shift;

    my (%known, $asked);

    $asked = 0;

    for (;;) {
        $socket->recv(my $in, 512) // next;

        if ($in =~ s/\A!//) {

            if ($in ne '?') {
                my ($name, @addresses) = split ' ', $in;
                $known{$name} = \@addresses;
            }

            $socket->send($asked);
            next;
        }

        my ($id, undef, undef) = unpack 'n3', $in;
        my ($name, $at) = ('', 12);

        while (my $len = ord substr($in, $at, 1)) {
            $name .= substr($in, $at + 1, $len) . '.';
            $at += $len + 1;
        }

        chop $name;

        my $question = substr($in, 12, $at + 5 - 12);
        my $type = unpack 'n', substr($in, $at + 1, 2);
        my @found = @{$known{$name} // []};
        my $code = @found ? 0 : 3;

        $asked++;
        next if "@found" eq 'silent';

        @found = () if $type != 1;

        $socket->send(pack('n6', $id, 0x8180 | $code, 1, scalar @found, 0, 0)
                      . $question
                      . join '', map {
                          pack('n3Nn', 0xc00c, 1, 1, 1, 4)
                          . pack('C4', split /\./)
                      } @found);
    }
}


1;
