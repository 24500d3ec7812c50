# Copyright (C) The nginx gateway modules authors

# What tests of the ratelimit module share: the real Redis of the run, at
# TEST_NGINX_REDIS_PORT, and false ones that answer as they are told.
#
#     redis(COMMAND, ...)
#
# asks the real one; nil is undef, an array a reference, and an error dies.
# ask(PORT or PATH, COMMAND, ...) asks any other.
#
#     my $port = fake_redis(sub { my ($state, @command) = @_; ... });
#
# starts a false one, in a process of its own that ends with the test.  The
# function returns what is to be sent in return, in the protocol of Redis:
# error("TEXT"), status("TEXT"), integers(...) make some; [TEXT] is sent, and
# the connection closed; \TEXT is held until FAKE RELEASE; undef is never
# answered, and nothing behind it.  A command without words is a new
# connection.  These commands are never seen by the function:
#
#     FAKE HELD            how many answers are held
#     FAKE RELEASE         sends them, and returns how many
#     FAKE SEEN REGEX      how many commands matched, their words joined by
#                          " "; a new connection is CONNECT
#     FAKE FORGET          starts to count again
#     FAKE SET NAME VALUE  something for $state->{NAME}
#     FAKE CLIENTS         how many are connected, together with who asks
#     FAKE DROP            closes all connections that wait for an answer
#
# subject(@command) is KEY if the first key is "gw:{KEY}:..."; hello(@command)
# answers what is asked of any Redis, false for everything else.
#
#     http(PATH, PORT, HEADER, ...)
#
# is the response to a GET of the nginx of the block, or of the one at PORT;
# header(RESPONSE, NAME) is the value of a field.  says(PATH, ...) is its
# status and X-Status, as "200 passed"; answers(N, PATH, ...) are those of N
# requests.  send_http(TEXT) sends what it is given, and returns the connection
# for read_http().  leave() is how a client leaves: by a reset.
#
#     show(NAME => VALUE, ...)
#
# adds fields to all responses of the file's blocks.
#
#     my $server = redis_server(NAME);
#     my $gateway = gateway(HTTP, LOCATIONS, workers => N);
#
# start another Redis, and another nginx with a configuration of its own: see
# GWTest, ->port ->signal ->stop ->start and so on.  What $TEST_NGINX_... stands
# for is replaced, /t.txt says "hello", and responses have X-Status, X-Limits
# and X-Pid.  They end with the test.
#
# evals(PORT) is how many scripts the real Redis, or the one at PORT, was asked
# to run.
#
#     wait_for(sub { ... }, "what")
#
# waits until the function returns true, and returns that; dies in the end.
#
#     @found = in_time(SECONDS, sub { my $key = shift; ... });
#
# what the function returns when it has taken less time than that: it is called
# with other keys until it has.  For what holds for a time only, such as a
# refusal that is remembered; the function itself must not check anything.
#
# same_day() returns when there are some minutes left of this day in UTC, for
# files with quotas.
#
# Sections of blocks, besides those of Test::Nginx, whose "init" runs in the
# package main:
#
#     redis_init     commands for the real one before nginx starts, one a line
#     redis          "COMMAND => REGEX", one a line, asked after the block;
#                    the elements of an array are sorted, "(nil)" is nothing
#     fake           "REGEX => N", or "<= N", one a line: so many commands the
#                    false one at TEST_NGINX_FAKE has seen
#     log_lines      "N REGEX", one a line: so many lines of error.log
#     access_lines   the same for logs/access.log, when they are there
#     no_secret      not to be found in error.log, one a line
#
# The real Redis is the one of each configuration that names no other; its
# timeout is long, for busy machines.  /t.txt says "hello".

package GwRatelimit;

use strict;
use warnings;

use Exporter;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More ();
use Test::Nginx::Socket;
use Time::HiRes qw(CLOCK_MONOTONIC clock_gettime sleep time);


our @ISA = qw(Exporter);

our @EXPORT = qw(
    answers ask error evals fake_redis gateway header hello http in_time
    integers leave nginx_pid read_http redis redis_server same_day says
    send_http show slurp status subject wait_for
);

my $owner = $$;
my $shown = '';
my $keys = 0;
my (@fakes, @gateways, %sockets);

check_accum_error_log();
no_long_string();


# also for what is evaluated in sections of blocks

sub import {
    GwRatelimit->export_to_level(1, @_);
    GwRatelimit->Exporter::export('Test::Base::Filter');
}


# the buckets of an earlier run

redis('EVAL', q{
    for _, key in ipairs(redis.call('KEYS', 'gw:*')) do
        redis.call('DEL', key)
    end
}, 0);


add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // '';

    if ($http !~ /gw_ratelimit_redis/ && !defined $block->must_die) {
        $block->set_value('http_config', $http . <<'END');

    gw_ratelimit_redis  redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=10s;
END
    }

    $block->set_value('config', $shown . ($block->config // ''))
        if $shown;

    if (!defined $block->user_files) {
        $block->set_value('user_files', ">>> t.txt\nhello\n"
                          . ">>> other.txt\nother\n");
    }

    if (!defined $block->no_error_log && !defined $block->error_log) {
        $block->set_value('no_error_log', "[error]\n[alert]\n[crit]");
    }

    if (defined $block->must_die && !defined $block->request) {
        $block->set_value('request', 'GET /');
    }

    # evaluated where the test has its own functions

    $block->set_value('init', "package main;\n" . $block->init)
        if defined $block->init;

    redis(split ' ') for lines($block->redis_init);
});


add_test_cleanup_handler(sub {
    my $block = shift;

    my $name = $block->name;

    for my $line (lines($block->redis)) {
        my ($command, $regex) = split / =>(?: |\z)/, $line, 2;

        like(flat(redis(split ' ', $command)), qr/\A(?:$regex)\z/,
             "$name - redis - $command");
    }

    for my $line (lines($block->fake)) {
        my ($regex, $than, $n) = $line =~ /\A(.*) ([=<])[>=] (\d+)\z/
            or die "bad \"$line\"\n";

        cmp_ok(ask($ENV{TEST_NGINX_FAKE}, qw(FAKE SEEN), $regex),
               $than eq '=' ? '==' : '<=', $n, "$name - fake - $regex");
    }

    my $log = slurp(server_root() . '/logs/error.log');

    count_lines("$name - log_lines", $log, $block->log_lines);
    count_lines("$name - access_lines", access_log($block->access_lines),
                $block->access_lines);

    for my $line (lines($block->no_secret)) {
        unlike($log, qr/\Q$line\E/, "$name - no_secret - $line");
    }

    unlike($log, qr/\[alert\]|exited on signal|Sanitizer/,
           "$name - nothing went wrong");

    # some kill a worker, which is signal 9, perhaps while it is in a zone

    is(join('', grep { !/exited on signal 9|was locked by/ }
                map { $_->trouble } @gateways),
       '', "$name - nor elsewhere") if @gateways;
});


END {
    if ($$ == $owner) {
        my $status = $?;

        for my $fake (@fakes) {
            kill('KILL', $fake->{pid});
            waitpid($fake->{pid}, 0);
        }

        $? = $status;
    }
}


sub lines {
    my $text = shift // '';

    return grep { /\S/ } split /\n/, $text;
}


# nginx writes a line when the client has the response already

sub access_log {
    my $log;
    my @wanted = map { [ split ' ', $_, 2 ] } lines(@_);

    my $complete = sub {
        $log = slurp(server_root() . '/logs/access.log');

        return !grep {
            my ($n, $regex) = @$_;
            $n > grep { /$regex/ } split /\n/, $log;
        } @wanted;
    };

    eval { wait_for($complete, 'lines') };

    return $log;
}


sub count_lines {
    my ($name, $log, $wanted) = @_;

    for my $line (lines($wanted)) {
        my ($n, $regex) = split ' ', $line, 2;

        is(scalar(grep { /$regex/ } split /\n/, $log), $n, "$name - $line");
    }
}


sub flat {
    my $reply = shift;

    return '(nil)' if !defined $reply;
    return join ' ', sort map { flat($_) } @$reply if ref $reply;

    return $reply;
}


sub slurp {
    my $path = shift;

    open(my $fh, '<', $path) or return '';
    local $/;

    return <$fh> // '';
}


sub nginx_pid {
    my ($pid) = slurp(server_root() . '/logs/nginx.pid') =~ /\A(\d+)/
        or die "nginx does not run\n";

    return $pid;
}


sub wait_for {
    my ($condition, $what) = @_;

    my $end = now() + 60;

    while (now() < $end) {
        my $rc = $condition->();
        return $rc if $rc;

        sleep(0.01);
    }

    die "waited in vain for $what\n";
}


sub now { return clock_gettime(CLOCK_MONOTONIC) }


sub in_time {
    my ($seconds, $code) = @_;

    my @found;

    wait_for(sub {
        my $from = now();

        @found = $code->('in-time-' . ++$keys);

        return now() - $from < $seconds;
    }, "$seconds seconds without a stop");

    return wantarray ? @found : $found[0];
}


sub same_day {
    my $left = 86400 - time() % 86400;

    sleep($left + 1) if $left < 300;
}


sub http {
    my ($path, $port, @headers) = @_;

    my $head = join '', map { "$_\r\n" } "GET $path HTTP/1.0",
                                         'Host: localhost', @headers;

    return read_http(send_http("$head\r\n", $port));
}


sub header {
    my ($response, $name) = @_;

    my ($head) = $response =~ /\A(.*?\r\n)\r\n/s or die "no response\n";

    return $head =~ /^\Q$name\E: (.*)\r$/mi ? $1 : undef;
}


sub says {
    my $response = http(@_);

    my ($code) = $response =~ m{\AHTTP/1\.1 (\d+)} or die "no response\n";

    return join ' ', $code, header($response, 'X-Status') // ();
}


sub answers {
    my $n = shift;

    return join ', ', map { says(@_) } 1 .. $n;
}


sub show {
    while (my ($name, $value) = splice @_, 0, 2) {
        $shown .= "    add_header  $name \"$value\" always;\n";
    }
}


sub send_http {
    my ($text, $port) = @_;

    $port //= server_port();

    my $socket = IO::Socket::INET->new("127.0.0.1:$port")
        or die "no nginx: $!\n";

    syswrite($socket, $text);

    return $socket;
}


# up to the end of the connection

sub read_http {
    my $socket = shift;
    local $/;

    return scalar <$socket>;
}


sub leave {
    for my $socket (@_) {
        setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
        close($socket);
    }
}


sub redis {
    return ask($ENV{TEST_NGINX_REDIS_PORT}, @_);
}


sub ask {
    my ($address, @command) = @_;

    my $socket = $sockets{$address}
        //= $address =~ m{/} ? IO::Socket::UNIX->new(Peer => $address)
                             : IO::Socket::INET->new("127.0.0.1:$address");

    $socket or die "no Redis at $address: $!\n";

    syswrite($socket, bulks(@command));

    my $reply = eval { read_reply($socket) };

    if ($@) {
        delete $sockets{$address};
        die "$address: $command[0]: $@";
    }

    return $reply;
}


sub evals {
    my $stats = ask($_[0] // $ENV{TEST_NGINX_REDIS_PORT},
                    qw(INFO commandstats));
    my $n = 0;

    $n += $1 while $stats =~ /^cmdstat_eval(?:sha)?:calls=(\d+)/mg;

    return $n;
}


sub redis_server {
    my $name = shift;

    require GWTest;

    return GWTest::Server->new('redis', $name);
}


sub gateway {
    my ($http, $locations, %arg) = @_;

    require GWTest;

    my $workers = $arg{workers} // 1;
    my $redis = $http =~ /gw_ratelimit_redis/ ? '' : <<'END';
    gw_ratelimit_redis  redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=10s;
END

    my $conf = <<"END";
user  www-data;
worker_processes  $workers;
load_module  modules/ngx_http_gw_ratelimit_module.so;
error_log  logs/error.log info;
pid  logs/nginx.pid;

events { }

http {
    access_log  off;
    add_header  X-Status \$gw_ratelimit_status always;
    add_header  X-Limits \$gw_ratelimit_limits always;
    add_header  X-Pid \$pid always;

$redis$http
    server {
        listen  8080;

$locations
    }
}
END

    my $gateway = GWTest::Gateway->new(
        name => 'gateway-' . (@gateways + 1), start => 0,
        conf => $conf =~ s/\$(TEST_NGINX_\w+)/$ENV{$1}/gr);

    push @gateways, $gateway;

    my $html = $gateway->dir . '/html';

    mkdir $html;
    open(my $fh, '>', "$html/t.txt") or die "$html: $!\n";
    print $fh "hello\n";
    close($fh);

    return $gateway->start;
}


sub bulks {
    return join '', '*', scalar @_, "\r\n",
                    map { ('$', length, "\r\n", $_, "\r\n") } @_;
}


sub read_reply {
    my $socket = shift;

    my $line = <$socket> // die "closed the connection\n";
    my ($type, $rest) = $line =~ /\A(.)(.*)\r\n\z/s or die "not a Redis\n";

    return $rest if $type =~ /[+:]/;
    die "$rest\n" if $type eq '-';
    return undef if $rest < 0;
    return [ map { scalar read_reply($socket) } 1 .. $rest ] if $type eq '*';

    read($socket, my $text, $rest + 2) == $rest + 2 or die "closed\n";

    return substr $text, 0, $rest;
}


# what a false one may say

sub error    { return "-$_[0]\r\n" }
sub status   { return "+$_[0]\r\n" }
sub integers { return join '', '*', scalar @_, "\r\n", map { ":$_\r\n" } @_ }


sub subject {
    return "@_" =~ /gw:\{([^}]*)\}/ ? $1 : '';
}


sub hello {
    my $name = shift // return '';

    return $name eq 'PING' ? status('PONG')
         : $name eq 'AUTH' || $name eq 'SELECT' ? status('OK') : '';
}


sub fake_redis {
    my $answer = shift;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                       ReuseAddr => 1)
        or die "listen: $!\n";

    # the end of the test closes it

    pipe(my $alive, my $keep) or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close($keep);
        @fakes = ();
        %sockets = ();

        eval { serve($answer, $listen, $alive); 1 } or warn "fake redis: $@";
        POSIX::_exit(0);
    }

    push @fakes, { pid => $pid, keep => $keep };

    return $listen->sockport;
}


sub serve {
    my ($answer, $listen, $alive) = @_;

    my $select = IO::Select->new($listen, $alive);
    my (%clients, @seen, %state);

    $SIG{PIPE} = 'IGNORE';
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

    while (1) {
        for my $fh ($select->can_read) {

            return if $fh == $alive;

            if ($fh == $listen) {
                my $client = $listen->accept or next;

                $select->add($client);
                $clients{$client} = { fh => $client, in => '', out => [] };
                push @{$clients{$client}{out}}, $answer->(\%state) // '';
                push @seen, 'CONNECT';

            } elsif (!sysread($fh, $clients{$fh}{in}, 65536,
                              length $clients{$fh}{in}))
            {
                $select->remove($fh);
                delete $clients{$fh};
                close($fh);
                next;
            }

            for my $client (values %clients) {
                while (my @command = next_command(\$client->{in})) {
                    push @{$client->{out}}, $command[0] eq 'FAKE'
                        ? order(\%clients, \@seen, \%state, @command)
                        : $answer->(\%state, @command);

                    push @seen, "@command" if $command[0] ne 'FAKE';
                }
            }

            for my $client (values %clients) {
                next if send_out($client);

                $select->remove($client->{fh});
                delete $clients{$client->{fh}};
                close($client->{fh});
            }
        }
    }
}


# the words of the command at the start of the text, which loses it

sub next_command {
    my $in = shift;

    my ($n) = $$in =~ /\A\*(\d+)\r\n/ or return;
    my $at = $+[0];
    my @words;

    while ($n--) {
        pos($$in) = $at;
        $$in =~ /\G\$(\d+)\r\n/ or return;

        return if length($$in) < $+[0] + $1 + 2;

        push @words, substr $$in, $+[0], $1;
        $at = $+[0] + $1 + 2;
    }

    substr($$in, 0, $at) = '';

    return @words;
}


sub order {
    my ($clients, $seen, $state, undef, $order, @args) = @_;

    my @held = grep { ref eq 'SCALAR' } map { @{$_->{out}} } values %$clients;

    if ($order eq 'RELEASE') {
        for my $client (values %$clients) {
            $_ = ref eq 'SCALAR' ? $$_ : $_ for @{$client->{out}};
        }

    } elsif ($order eq 'SEEN') {
        return ':' . (grep { /$args[0]/ } @$seen) . "\r\n";

    } elsif ($order eq 'CLIENTS') {
        return ':' . (keys %$clients) . "\r\n";

    } elsif ($order eq 'FORGET') {
        @$seen = ();

    } elsif ($order eq 'SET') {
        $state->{$args[0]} = $args[1];

    } elsif ($order eq 'DROP') {
        @{$_->{out}} and $_->{out} = [['']] for values %$clients;
    }

    return ':' . @held . "\r\n";
}


# false if the connection has to be closed

sub send_out {
    my $client = shift;

    my $out = $client->{out};

    while (@$out && defined $out->[0] && ref $out->[0] ne 'SCALAR') {
        my $text = shift @$out;

        syswrite($client->{fh}, ref $text ? $text->[0] : $text);

        return 0 if ref $text;
    }

    return 1;
}


1;
