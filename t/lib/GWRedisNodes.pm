package GWRedisNodes;

# Copyright (C) The nginx gateway modules authors

# Sentinels or a cluster (tools/redis.sh) as a GWTest::Server, fakes of what a
# real Redis never does, and a gateway that asks for the API key of each
# request.
#
#   my $cluster = GWRedisNodes->new('cluster');
#
#   ->nodes             its redis-N, as GWTest::Servers; ->sentinels likewise
#   ->command(...)      of redis-1
#   ->at(PORT)          the node there
#   ->master(SLOT)      the node that is master, of that slot in a cluster, as
#                       all say who are awake; undef if they don't agree
#   ->awake             the nodes that neither hang nor are down
#   ->wait_well         until all nodes are in sync and of one opinion
#
#   my $gw = key_gateway($redis, %args);
#
# asks where $redis says, the arguments of gw_auth_redis, for keys in
# locations below /key/, and keeps no answer.  %args as for auth_gateway().
#
#   key($i)             one of the keys; record($i) and slot_of($i) are the
#                       name of its record and the slot of that
#   save_keys(\&command, $n)     writes the records of so many
#   found($r, $i)       whether the response says whose key it was
#   look($gw, $i)       a request with the key
#   all_found($gw, $n, $title)   waits until so many keys are found in a row
#
#   disturb($gw, $title, $n, sub { ... }, \&over)
#       keeps requests with keys 1 to $n under way; when all is calm it calls
#       the sub, and ends when over() is true and all keys were found twice
#       after that.  Checks that there was an answer to each, that none was
#       wrong, and that the workers stayed; tells how long keys were not found
#       and how many requests failed, and returns the latter
#
#   my $fake = fake(sub { my ($n, @command) = @_; ... });
#
# is a GWRedisFake.  The sub is called for each command, in a process of its
# own, with how often it was called with this one before, and returns what is
# sent; undef closes the connection.  The port is in $GWRedisFake::PORT there.
#
#   ->port
#   ->commands(NAME)    what it was sent: all, or with this first word; one
#                       array each
#
# bulk(...) and slots([FROM, TO, HOST, PORT], ...) are replies.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw(time);

use GWAuthService;
use GWE2E;
use GWTest;

our @ISA = qw(GWTest::Server);
our @EXPORT = qw(all_found bulk disturb fake found key key_gateway look record
                 save_keys slot_of slots);


sub nodes     { return $_[0]->members('redis') }
sub sentinels { return $_[0]->members('sentinel') }


sub members {
    my ($self, $name) = @_;

    return map {
        my $dir = $_;

        chomp(my $port = GWTest::slurp("$dir/port"));
        bless { kind => 'redis-node', dir => $dir, port => $port },
              'GWRedisNode';
    } sort glob "$self->{dir}/$name-*";
}


sub at {
    my ($self, $port) = @_;

    return (grep { $_->port == $port } $self->nodes)[0];
}


sub awake {
    my ($self, @nodes) = @_;

    return grep { GWTest::slurp('/proc/' . ($_->pid // 0) . '/stat')
                      =~ /\) [^ZXT]/ } @nodes ? @nodes : $self->nodes;
}


sub told {
    my ($node, @command) = @_;

    open(my $fh, '-|', 'timeout', 5, 'redis-cli', '-h', '127.0.0.1',
         '-p', $node->port, $node->options, @command)
        or die "redis-cli: $!\n";
    local $/;

    return (<$fh> // '') =~ s/\r//gr;
}


sub master {
    my ($self, $slot) = @_;

    my %votes;

    if (defined $slot) {
        for my $node ($self->awake) {
            for (split /\n/, told($node, qw(CLUSTER NODES))) {
                my (undef, $address, $flags, undef, undef, undef, undef,
                    $link, @slots) = split / /;

                next if $flags !~ /master/ || $flags =~ /fail/
                        || !grep { /\A(\d+)(?:-(\d+))?\z/ && $1 <= $slot
                                   && $slot <= ($2 // $1) } @slots;
                $votes{$1}++ if $address =~ /:(\d+)@/;
            }
        }

    } else {
        for my $sentinel ($self->awake($self->sentinels)) {
            my @answer = split /\n/, told($sentinel,
                qw(SENTINEL get-master-addr-by-name gateway));

            $votes{$answer[1]}++ if @answer == 2;
        }
    }

    return keys %votes == 1 ? $self->at(keys %votes) : undef;
}


sub wait_well {
    my ($self) = @_;

    GWTest::wait_for(sub { $self->well }, "$self->{kind} to be well", 90);
}


sub well {
    my ($self) = @_;

    my $sentinels = $self->sentinels;
    my $replicas = 0;

    for my $node ($self->sentinels) {
        return 0 if told($node, qw(INFO sentinel))
                    !~ /status=ok,.*slaves=2,sentinels=3/;
    }

    for my $node ($self->nodes) {
        my $text = told($node, qw(INFO replication));

        return 0 if $text !~ /^role:/m || $text =~ /link_status:down/
                    || $text =~ /state=(?!online)/;

        $replicas++ if $text =~ /^role:slave/m;

        next if $sentinels;
        return 0 if told($node, qw(CLUSTER INFO)) !~ /cluster_state:ok/
                    || told($node, qw(CLUSTER NODES)) =~ /fail|handshake/;
    }

    return $replicas == ($sentinels ? 2 : 3);
}


sub key_gateway {
    my ($redis, %arg) = @_;

    my $more = delete $arg{http} // '';

    return auth_gateway(%arg, http => <<"END", server => <<'END');
    gw_auth_zone   identities:2m;
    gw_auth_redis  $redis;
    $more

    gw_auth_provider keys {
        api_key  header=X-API-Key cache=0;
        subject  shared;
    }
END
        location /key/ {
            gw_auth  keys;
            empty_gif;
        }
END
}


sub key     { return "key-$_[0]-0123456789abcdef" }
sub record  { return 'gw:key:' . sha256_hex(key($_[0])) }

sub request_of {
    my ($i) = @_;

    return [ "/key/$i", headers => ['X-API-Key' => key($i)] ];
}


sub look {
    my ($gw, $i) = @_;

    return $gw->get(@{request_of($i)});
}


sub found {
    my ($r, $i) = @_;

    return who($r) eq "200 subject-$i ok";
}


sub save_keys {
    my ($command, $n) = @_;

    $command->('HSET', record($_), 'subject', "subject-$_") for 1 .. $n;
}


sub all_found {
    my ($gw, $n, $title) = @_;

    GWTest::wait_for(sub {
        !grep { !found(look($gw, $_), $_) } 1 .. $n;
    }, "$title: all keys to be found", 60);

    Test::More::pass("$title: all keys are found");
}


# CRC16, as Redis defines it

sub slot_of {
    my $crc = 0;

    for my $byte (unpack 'C*', record($_[0])) {
        $crc ^= $byte << 8;
        $crc = ($crc << 1 ^ ($crc & 0x8000 ? 0x1021 : 0)) & 0xffff for 1 .. 8;
    }

    return $crc % 16384;
}


sub disturb {
    my ($gw, $title, $n, $code, $over) = @_;

    my @workers = $gw->workers;
    my ($i, $seen, $from, $calm) = (0, 0, undef, 0);
    my ($end, %wrong, @failed);

    my @r = load($gw, 8, sub {
        return $calm < 2 * $n && ($i = $i % $n + 1) && request_of($i);

    }, sub {
        for my $r (@_[$seen .. $#_]) {
            my ($key) = $r->{path} =~ /(\d+)/;

            if (found($r, $key)) {
                $calm++;
                next;
            }

            $calm = 0;
            push @failed, $r;
            $wrong{who($r)}++ if $r->{status} != 503;
        }

        $seen = @_;

        if (!defined $from) {
            return if $calm < $n;

            $from = time;
            $code->();
            $calm = 0;

        } elsif (!$end) {
            $calm = 0;
            $end = $over->();
        }

        die "$title: no end of it\n" if time > $from + 90;
    });

    my ($last) = sort { $b <=> $a } map { $_->{to} } @failed;
    my ($first) = sort { $a <=> $b } map { $_->{from} } @failed;
    my ($longest) = sort { $b <=> $a } map { $_->{to} - $_->{from} } @r;

    Test::More::diag(sprintf '%s: %d of %d requests failed, %.0f ms from the '
                     . 'first to the last; the slowest took %.0f ms', $title,
                     scalar @failed, scalar @r,
                     @failed ? ($last - $first) * 1000 : 0, $longest * 1000);

    Test::More::is_deeply(\%wrong, {}, "$title: found, or 503");
    Test::More::is_deeply([ $gw->workers ], \@workers,
                          "$title: the same workers");

    return scalar @failed;
}


sub command {
    my ($self, @args) = @_;

    return ($self->nodes)[0]->command(@args);
}


sub fake { return GWRedisFake->new(@_) }


sub bulk {
    return '*' . @_ . "\r\n" . join '', map { '$' . length . "\r\n$_\r\n" } @_;
}


sub slots {
    return '*' . @_ . "\r\n" . join '', map {
        my ($from, $to, $host, $port) = @$_;

        "*3\r\n:$from\r\n:$to\r\n*3\r\n"
        . (defined $host ? '$' . length($host) . "\r\n$host\r\n" : "\$-1\r\n")
        . ":$port\r\n\$4\r\nnode\r\n"
    } @_;
}


package GWRedisNode;

use strict;
use warnings;

our @ISA = qw(GWTest::Server);


# of redis-cli

sub options {
    my ($self) = @_;

    my $tls = "$self->{dir}/../tls";

    return -d $tls ? ('--tls', '--cacert', "$tls/ca.pem",
                      '--cert', "$tls/client.pem", '--key', "$tls/client.key")
                   : ();
}


sub command {
    my ($self, @args) = @_;

    return $self->SUPER::command($self->options, @args);
}


package GWRedisFake;

use strict;
use warnings;


our $PORT;

my $fakes = 0;


sub new {
    my ($class, $code) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                       LocalPort => GWTest::free_port(),
                                       ReuseAddr => 1) or die "fake: $!\n";
    my $self = bless {
        port => $listen->sockport,
        log => GWTest::run_dir() . '/fake-' . ++$fakes,
    }, $class;

    $self->{pid} = fork // die "fork: $!\n";

    if (!$self->{pid}) {
        $SIG{TERM} = 'DEFAULT';
        $PORT = $listen->sockport;
        open(my $log, '>', $self->{log}) or die "$self->{log}: $!\n";
        $log->autoflush(1);
        eval { serve($listen, $code, $log) };
        print $log "died $@\n";
        require POSIX;
        POSIX::_exit(0);
    }

    GWTest::started($self);

    return $self;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill('KILL', $pid);
    waitpid($pid, 0);
}


sub port { return $_[0]{port} }


sub commands {
    my ($self, $name) = @_;

    return grep { !$name || $_->[0] eq $name }
           map { [ split ' ' ] } split /\n/, GWTest::slurp($self->{log});
}


sub serve {
    my ($listen, $code, $log) = @_;

    my $select = IO::Select->new($listen);
    my (%in, %calls);

    while (1) {
        for my $fh ($select->can_read) {
            if ($fh == $listen) {
                $select->add(scalar $fh->accept);
                next;
            }

            my $n = sysread($fh, $in{$fh}, 65536, length($in{$fh} // ''));

            while ($n && (my @command = command(\$in{$fh}))) {
                print $log "@command\n";

                my $reply = $command[0] eq 'PING' ? "+PONG\r\n"
                    : $code->($calls{"@command"}++, @command);

                $n = !defined $reply ? 0 : $reply eq '' ? 1
                   : syswrite($fh, $reply);
            }

            if (!$n) {
                delete $in{$fh};
                $select->remove($fh);
                close($fh);
            }
        }
    }
}


sub command {
    my ($in) = @_;

    my $text = $$in;
    my @words;

    $text =~ s/\A\*(\d+)\r\n// or return;

    for (1 .. $1) {
        $text =~ s/\A\$(\d+)\r\n// && length $text >= $1 + 2 or return;
        push @words, substr $text, 0, $1;
        substr($text, 0, $1 + 2) = '';
    }

    $$in = $text;

    return @words;
}


1;
