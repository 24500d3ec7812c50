package GWE2E;

# Copyright (C) The nginx gateway modules authors

# What the end-to-end tests share beyond GWTest: a client with many requests
# at a time, and a comparison of what the access log and what Kafka tell of
# them.
#
# Functions
#
#   broker()
#       a running GWTest::Server, Kafka or its mock: one for all tests of a
#       run, since Kafka takes seconds to start; it stays when the test ends
#
#   at_once($gw, [PATH, %args], ...)
#       sends all requests, then reads all responses, and returns them in
#       the order of the requests.  Each is that of GWTest::request(), with
#       path, and from and to: when it was sent and when it had come
#
#   load($gw, $n, \&next, \&turn)
#       keeps $n requests under way for as long as next(@responses) returns
#       a request, as above, and calls turn(@responses) after each response,
#       and while none comes; returns all responses
#
#   requests_in($gw, $n)
#       the access log, one hash a line, as soon as it has $n lines: nginx
#       writes them when the response is on its way
#
#   workers_of($gw, $n)
#       the workers, as soon as there are $n: nginx starts one by one
#
#   trouble_in($gw)
#       lines of the error log that no test expects, also of a sanitizer: it
#       ends a worker by an exit code, not by a signal
#
#   event_problems($gw, $kafka)
#       what is wrong with the events of all requests in the access log;
#       nothing if each has its event in Kafka once, and both say the same.
#       It waits until all are there, or for long.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use JSON::PP;
use Time::HiRes qw(time);

use GWTest;

our @EXPORT = qw(at_once broker event_problems load requests_in
                 trouble_in workers_of);

my $LINE = qr{
    \A (?<address> \S+ ) [ ] \[ (?<time> [^\]]+ ) \] [ ]
    "(?<method> \S+ ) [ ] (?<uri> \S+ ) [ ] HTTP/1\.[01]" [ ] (?<status> \d+ )
    [ ] request=(?<request> \S+ ) [ ] subject=(?<subject> \S+ )
    [ ] tier=(?<tier> \S+ ) [ ] auth=(?<auth> \S+ ) [ ] limit=(?<limit> \S+ )
    [ ] left=(?<left> \S+ ) [ ] usage=(?<usage> \S+ )
    [ ] (?<duration> [\d.]+ ) / (?<upstream> .+ ) \z
}x;

my %ENVELOPE = (
    specversion      => qr/\A1\.0\z/,
    id               => qr/\A[0-9a-f]{16}-[1-9]\d*\z/,
    source           => qr/\A\S+\z/,
    type             => qr/\Agw\.usage\.v1\z/,
    time             => qr/\A\d{4}(?:-\d\d){2}T\d\d(?::\d\d){2}\.\d{3}Z\z/,
    datacontenttype  => qr{\Aapplication/json\z},
);

my $json = JSON::PP->new->utf8;


sub broker {
    my $self = bless {
        kind => 'broker',
        dir => run_dir() . '/../kafka',
    }, 'GWTest::Server';

    if ($self->running) {
        chomp($self->{port} = GWTest::slurp("$self->{dir}/port"));

        # the test before this one may have left it hanging

        return $self if system('timeout 30 kcat -L -m 20 -t gw.usage -b '
                               . $self->address . ' > /dev/null 2>&1') == 0;
        $self->stop;
    }

    return $self->start;
}


sub at_once {
    my ($gw, @requests) = @_;

    my @open = map { start($gw, $_) } @requests;
    my @waiting = @open;

    finish(\@waiting) while @waiting;

    return @open;
}


sub load {
    my ($gw, $n, $next, $turn) = @_;

    my (@open, @done);
    my $more = 1;

    while (1) {
        while ($more && @open < $n) {
            my $request = $next->(@done);

            if ($request) {
                push @open, start($gw, $request);

            } else {
                $more = 0;
            }
        }

        return @done if !@open;

        push @done, finish(\@open);
        $turn->(@done) if $turn;
    }
}


sub start {
    my ($gw, $request) = @_;

    my ($path, %arg) = @$request;
    my $from = time;

    return { path => $path, from => $from,
             fh => send_request($gw->port, 'GET', $path, %arg) };
}


# takes those that have been answered from the list, perhaps none

sub finish {
    my ($open) = @_;

    my %ready = map { $_ => 1 }
                IO::Select->new(grep { $_ } map { $_->{fh} } @$open)
                    ->can_read(0.05);

    my @done = grep { !$_->{fh} || $ready{$_->{fh}} || $_->{from} < time - 60 }
               @$open;

    for my $r (@done) {
        %$r = (%$r, %{read_response(delete $r->{fh})}, to => time);
    }

    @$open = grep { !$_->{to} } @$open;

    return @done;
}


sub requests_in {
    my ($gw, $n) = @_;

    my @lines;

    wait_for(sub {
        @lines = split /\n/, $gw->access_log;
        @lines >= $n;
    }, "$n lines in the access log");

    return map { $_ =~ $LINE ? { %+ } : die "access log: \"$_\"\n" } @lines;
}


sub workers_of {
    my ($gw, $n) = @_;

    my @workers;

    wait_for(sub { (@workers = $gw->workers) == $n }, "$n workers", 120);

    return @workers;
}


sub trouble_in {
    my ($gw) = @_;

    return $gw->trouble,
           grep { /Sanitizer: |runtime error: |exited with code [1-9]/ }
           split /\n/, $gw->error_log;
}


sub event_problems {
    my ($gw, $kafka) = @_;

    my @lines = grep { $_->{usage} ne '-' } requests_in($gw, 0);
    my (%events, %partitions, %last, @problems);

    for my $message (messages_of($kafka, @lines)) {
        my ($generation, $partition, $headers, $text) = @$message;

        my $event = eval { $json->decode($text) };

        if (!$event || envelope_is_bad($event, $generation)
            || $headers !~ m{\Acontent-type=application/cloudevents\+json}
            || $partition != ($partitions{$generation} //= $partition))
        {
            push @problems, "malformed: @$message";
            next;
        }

        my ($sequence) = $event->{id} =~ /-(\d+)\z/;

        $last{$generation} = $sequence
            if $sequence > ($last{$generation} || 0);

        push @{$events{$event->{id}}}, $event;
    }

    for my $generation (sort keys %last) {
        push @problems, map { "a gap: $generation-$_" }
                        grep { !$events{"$generation-$_"} }
                        1 .. $last{$generation};
    }

    for my $line (@lines) {
        my $found = delete $events{$line->{usage}} || [];

        push @problems, @$found . " events $line->{usage}, $line->{uri}"
            if @$found != 1;
        push @problems, differences($line, $_) for @$found;
    }

    return @problems, map { "no request has the id $_" } sort keys %events;
}


# what Kafka has of the workers that wrote these lines, when nothing is
# missing, but for marks: generation, partition, headers, text

sub messages_of {
    my ($kafka, @lines) = @_;

    my %ours = map { $_->{usage} =~ s/-.*//r => 1 } @lines;
    my @cmd = ('timeout', 30, 'kcat', '-C', '-q', '-e', '-m', 20,
               '-b', $kafka->address, '-t', 'gw.usage',
               '-o', 'beginning', '-f', '%k\t%p\t%h\t%s\n');
    my @messages;

    my $complete = eval {
        wait_for(sub {
            my %missing = map { $_->{usage} => 1 } @lines;

            open(my $fh, '-|', @cmd) or die "kcat: $!\n";

            @messages = grep { $ours{$_->[0]}
                               && $_->[3] !~ /"type":"gw\.usage\.mark\.v1"/ }
                        map { chomp; [ split /\t/, $_, 4 ] } <$fh>;

            close($fh);

            for (@messages) {
                delete $missing{$1} if $_->[3] =~ /"id":"([^"]+)"/;
            }

            return !%missing;
        }, 'all events in Kafka', 120);
    };

    Test::More::diag($@) if !$complete;

    return @messages;
}


sub envelope_is_bad {
    my ($event, $generation) = @_;

    my %rest = %$event;

    delete @rest{qw(subject data)};

    return $event->{id} !~ /\A\Q$generation\E-/
           || ref $event->{data} ne 'HASH'
           || keys %rest != keys %ENVELOPE
           || grep { ($rest{$_} // '') !~ $ENVELOPE{$_} } keys %ENVELOPE;
}


# of an event and a line of the access log; what went upstream is paid for

sub differences {
    my ($line, $event) = @_;

    my $data = $event->{data};
    my $proxied = $line->{upstream} ne '-';

    my %want = (
        api => $line->{uri} =~ m{\A/(\w+)/} ? $1 : '-',
        method => $line->{method},
        status => $line->{status},
        tier => $line->{tier},
        units => $proxied ? 1 : 0,
        limited => $line->{limit} eq 'limited' ? 1 : 0,
        degraded => 0,
        request_id => $line->{request},
    );

    my @problems = map { "$_ is not $want{$_}" }
                   grep { ($data->{$_} // '-') ne $want{$_} } sort keys %want;

    push @problems, "the subject is not $line->{subject}"
        if ($event->{subject} // '-') ne $line->{subject};

    push @problems, map { "$_ is no number" }
        grep { ($data->{$_} // '') !~ /\A\d+\z/ }
        'bytes_in', 'bytes_out', 'duration_ms',
        $proxied ? 'upstream_ms' : ();

    push @problems, 'there was no upstream'
        if !$proxied && defined $data->{upstream_ms};

    return map { "$line->{usage}, $line->{uri}: $_" } @problems;
}


1;
