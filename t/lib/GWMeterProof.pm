package GWMeterProof;

# Copyright (C) The nginx gateway modules authors

# The proof that no request is lost and none is counted twice: what clients,
# upstreams and the access log know of requests, compared with all messages
# in Kafka, by ids.
#
#     my $proof = GWMeterProof->new;
#
#     $proof->message($partition, $key, $body);     # each in Kafka
#     $proof->answered($request_id);                # a client saw an answer
#     $proof->reached($request_id);                 # it came to an upstream
#     $proof->logged($usage_id, $request_id);       # a line of the access log
#
#     is_deeply([ $proof->problems ], []);
#     diag($proof->report);
#
# What has to be true:
#
#     lost        an answered request, or one that reached an upstream, has
#                 its event, or an unfinished one
#     twice       and only under one id
#     incomplete  a request in the access log has its event, not only an
#                 unfinished one, under the id that the log shows
#     open        each generation that is known has an end: a mark that says
#                 closed or adopted, or recovered, see below
#     ends        its ends tell the same
#     gap         every sequence up to its end is there,
#     beyond      and none is above it
#     dropped     none was dropped
#     bodies      an id has one body (of marks, but for the time)
#     malformed   messages are events, with the generation as their key, and
#                 those of a generation are in one partition
#     recovered   no end of a generation is uncertain
#
# Duplicates, the same bytes under the same id, are allowed, and counted.
#
# After a power cut events may be missing: GWMeterProof->new(power => 1) takes
# a mark that says recovered as an end.  In such a generation there may be
# gaps, and what was in the access log or was answered may be gone if
# $proof->may_lose($usage_id or $request_id) was called for it.

use strict;
use warnings;

use Digest::MD5 qw(md5);
use JSON::PP;


my %TYPES = (
    'gw.usage.v1' => 'full',
    'gw.usage.interim.v1' => 'interim',
    'gw.usage.unfinished.v1' => 'unfinished',
    'gw.usage.mark.v1' => 'mark',
);

# the first character of what is kept of an id

my %SHORT = (full => 'f', interim => 'i', unfinished => 'u');
my %LONG = reverse %SHORT;

my $END = qr/\A(?:closed|adopted|recovered)\z/;

my @COUNTS = qw(messages full interim unfinished duplicates marks remarks
                generations closed adopted recovered answered reached logged
                rejected unlogged unknown);

my $json = JSON::PP->new->utf8;


sub new {
    my ($class, %arg) = @_;

    return bless {
        %arg,
        ids => {},            # GENERATION-SEQUENCE => type and MD5
        requests => {},       # request id => id of its event
        seen => {},           # generation => bits of sequences
        top => {},            # generation => the highest
        partition => {},
        marks => {},          # generation => [ marks ]
        mark_ids => {},
        answered => {},
        reached => {},
        logged => {},
        may_lose => {},
        problems => [],
        n => { map { $_ => 0 } @COUNTS },
        decoded => {},
    }, $class;
}


sub problem {
    my ($self, $what, $text) = @_;

    push @{$self->{problems}}, "$what: $text";
}


sub message {
    my ($self, $partition, $key, $body) = @_;

    my ($id) = $body =~ /\A\{"specversion":"1\.0","id":"([0-9a-f-]+m?\d+)",/;
    my ($type) = $body =~ /,"type":"([a-z0-9.]+)",/;
    my ($generation, $mark, $sequence)
        = ($id // '') =~ /\A([0-9a-f]{16})-(m?)(0|[1-9]\d*)\z/;

    $type = $TYPES{$type // ''};
    $self->{n}{messages}++;

    if (!$generation || !$type || !!$mark ne ($type eq 'mark')
        || $key ne $generation
        || $partition != ($self->{partition}{$generation} //= $partition))
    {
        return $self->problem(malformed => "$partition $key $body");
    }

    # JSON::PP is slow

    my $event;

    if ($type eq 'mark' || $self->{decoded}{$type}++ % 50 == 0) {
        $event = eval { $json->decode($body) };

        return $self->problem(malformed => $body)
            if !$event || ref $event->{data} ne 'HASH'
               || $event->{id} ne $id || $TYPES{$event->{type}} ne $type;
    }

    $self->{top}{$generation} //= 0;

    return $self->mark($generation, $event) if $type eq 'mark';

    $self->event($generation, $sequence, $type, $body);
}


sub mark {
    my ($self, $generation, $event) = @_;

    my ($n, $marks) = ($self->{n}, $self->{mark_ids});
    my $data = $event->{data};

    if ($data->{generation} ne $generation
        || grep({ ($data->{$_} // '') !~ /\A\d+\z/ } qw(sequence dropped))
        || $data->{state} !~ /\A(?:open|running|closed|adopted|recovered)\z/)
    {
        return $self->problem(malformed => $json->encode($event));
    }

    my $text = "$data->{state} $data->{sequence} $data->{dropped}";

    if (defined $marks->{$event->{id}}) {
        $self->problem(bodies => "$event->{id}: $marks->{$event->{id}}; $text")
            if $marks->{$event->{id}} ne $text;

        $n->{remarks}++;
        return;
    }

    $marks->{$event->{id}} = $text;
    $n->{marks}++;
    push @{$self->{marks}{$generation}}, $data;
}


sub event {
    my ($self, $generation, $sequence, $type, $body) = @_;

    my ($n, $ids) = ($self->{n}, $self->{ids});
    my $id = "$generation-$sequence";
    my $kept = $SHORT{$type} . md5($body);
    my ($request) = $body =~ /"request_id":"([0-9a-f]{32})"/;

    if (defined $ids->{$id}) {
        if ($ids->{$id} eq $kept) {
            $n->{duplicates}++;
            return;
        }

        $self->problem(bodies => "$id: " . $LONG{substr $ids->{$id}, 0, 1}
                                 . " and $type");
        $ids->{$id} = $kept if $type eq 'full';

    } else {
        $n->{$type}++;
        $ids->{$id} = $kept;
    }

    $self->problem(malformed => "$id: the sequence is 0") if $sequence == 0;

    vec($self->{seen}{$generation} //= '', $sequence, 1) = 1;
    $self->{top}{$generation} = $sequence
        if $sequence > $self->{top}{$generation};

    return if $type eq 'interim';

    if (!defined $request) {
        return $self->problem(malformed => "no request id: $body");
    }

    my $other = $self->{requests}{$request} //= $id;

    $self->problem(twice => "$request is $other and $id") if $other ne $id;
}


sub answered {
    my ($self, $request) = @_;

    $self->{answered}{$request}++;
    $self->{n}{answered}++;
}


sub reached {
    my ($self, $request) = @_;

    $self->{reached}{$request}++;
    $self->{n}{reached}++;
}


# The sequence of such a request is taken in its log phase, when it may have
# been answered; it is in Kafka if that was reached.

sub rejected {
    my ($self, $request) = @_;

    $self->{n}{rejected}++;
}


sub logged {
    my ($self, $id, $request) = @_;

    $self->{n}{logged}++;

    if ($id !~ /\A([0-9a-f]{16})-[1-9]\d*\z/) {
        return $self->problem(incomplete => "$request is logged as \"$id\"");
    }

    $self->problem(incomplete => "$id is logged twice")
        if exists $self->{logged}{$id};

    $self->{logged}{$id} = $request;
    $self->{top}{$1} //= 0;
}


sub may_lose {
    my ($self, @ids) = @_;

    @{$self->{may_lose}}{@ids} = (1) x @ids;
}


sub has {
    my ($self, $id) = @_;

    return exists $self->{ids}{$id} || exists $self->{requests}{$id};
}


# all that clients and upstreams know

sub requests {
    my ($self) = @_;

    my %all = (%{$self->{answered}}, %{$self->{reached}});

    return sort keys %all;
}


sub ended {
    my ($self, $generation) = @_;

    return scalar grep { $_->{state} =~ $END }
           @{$self->{marks}{$generation} || []};
}


sub problems {
    my ($self) = @_;

    if (!$self->{done}++) {
        $self->check_requests;
        $self->check_log;
        $self->check_generation($_) for sort keys %{$self->{top}};
    }

    return @{$self->{problems}};
}


sub check_requests {
    my ($self) = @_;

    my ($requests, $may_lose) = @$self{qw(requests may_lose)};

    for my $how (qw(answered reached)) {
        for (sort keys %{$self->{$how}}) {
            next if exists $requests->{$_} || $may_lose->{$_};
            $self->problem(lost => "$_ $how");
        }
    }

    $self->{n}{unknown} = grep { !$self->{answered}{$_}
                                 && !$self->{reached}{$_} }
                          keys %$requests;
}


sub check_log {
    my ($self) = @_;

    my ($ids, $logged) = @$self{qw(ids logged)};

    for my $id (sort keys %$logged) {
        my $type = $LONG{substr $ids->{$id} // '', 0, 1} // 'nothing';

        next if $type eq 'nothing' && $self->{may_lose}{$id};

        if ($type ne 'full') {
            $self->problem(incomplete => "$id is logged, $type is in Kafka");

        } elsif (($self->{requests}{$logged->{$id}} // '') ne $id) {
            $self->problem(incomplete => "$id is logged as $logged->{$id}");
        }
    }

    # killed between the two, or its access log is elsewhere

    $self->{n}{unlogged} = grep { $ids->{$_} =~ /\Af/ && !exists $logged->{$_} }
                           keys %$ids;
}


sub check_generation {
    my ($self, $generation) = @_;

    my $n = $self->{n};
    my @marks = @{$self->{marks}{$generation} || []};
    my @ends = grep { $_->{state} =~ $END } @marks;
    my @certain = grep { $_->{state} ne 'recovered' } @ends;
    my %states = map { $_->{state} => 1 } @ends;

    $n->{generations}++;
    $n->{$_}++ for keys %states;

    return $self->problem(open => "$generation up to "
                                  . $self->{top}{$generation}) if !@ends;

    if ($states{recovered}) {
        return $self->problem(recovered => $generation) if !$self->{power};
        return if !@certain;

        # what was drained before came back

        @ends = @certain;
    }

    my $last = $ends[0]{sequence};

    $self->problem(ends => "$generation: " . join ', ',
                   map { "$_->{state} $_->{sequence}, $_->{dropped} dropped" }
                   @ends)
        if grep { $_->{sequence} != $last
                  || $_->{dropped} != $ends[0]{dropped} } @ends;

    $self->problem(dropped => "$generation: $_->{dropped}")
        for grep { $_->{dropped} } $ends[0];

    $self->problem(beyond => "$generation: $_, the end is $last")
        for grep { $_ > $last } $self->{top}{$generation},
                                map { $_->{sequence} } @marks;

    my $seen = $self->{seen}{$generation} // '';

    for (1 .. $last) {
        $self->problem(gap => "$generation-$_") if !vec($seen, $_, 1);
    }
}


sub count {
    my ($self, $what) = @_;

    return $self->{n}{$what};
}


# the first of each kind of problem, and all numbers

sub report {
    my ($self) = @_;

    my %kinds;

    push @{$kinds{/\A(\w+)/ && $1}}, $_ for $self->problems;

    return join "\n",
           map({ my @some = @{$kinds{$_}};
                 (scalar(@some) . " $_", @some > 8 ? @some[0 .. 7] : @some) }
               sort keys %kinds),
           join ', ', map { "$self->{n}{$_} $_" } @COUNTS;
}


1;
