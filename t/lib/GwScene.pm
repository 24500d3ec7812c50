# Copyright (C) The nginx gateway modules authors

# Requests of which a test plays both ends, the client and the upstream, so
# that nothing of it depends on time.
#
#     --- scene eval
#     sub {
#         my ($client, $up) = GwScene::begin(GwScene::get('/t?n=name'));
#         ...
#     }
#
# The upstream is $TEST_NGINX_UPSTREAM.  Lines of logs/sums.log are as "sums"
# of GwUsage expects them; the argument "n" of a request is its api there.

package GwScene;

use strict;
use warnings;

use IO::Socket::INET;
use Test::Nginx::Socket;
use Time::HiRes qw(sleep time);

use GwUsage;


my $upstream = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', Listen => 8, ReuseAddr => 1)
    or die "upstream: $!\n";

$ENV{TEST_NGINX_UPSTREAM} = '127.0.0.1:' . $upstream->sockport;


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('request', "GET /none\n") if !defined $block->request;
    $block->set_value('response_body_like', 'GIF')
        if !defined $block->response_body_like;

    my $http = $block->http_config // '';

    $block->set_value('http_config', $http . <<'END');
    log_format  sums  "$arg_n $request_length $bytes_sent $request_time";
    access_log  logs/sums.log sums;
END

    $block->set_value('config', $block->config . <<'END');
    location = /none {
        empty_gif;
        access_log  off;
    }
END
});

add_response_body_check(sub {
    my $block = shift;

    $block->scene->($block) if ref $block->scene;
});


# a client that has sent a request, and the connection on which the upstream
# has read it

sub begin {
    my ($request) = @_;

    my $client = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port()) or die "client: $!\n";

    syswrite($client, $request);

    my $up = $upstream->accept;

    expect($up, "\r\n\r\n.*" . ($request =~ /\r\n\r\n(a+)\z/ ? $1 : ''));

    return ($client, $up);
}


sub get {
    my ($uri, @headers) = @_;

    return join "\r\n", "GET $uri HTTP/1.1", 'Host: localhost', @headers,
                        '', '';
}


# reads until the regex matches

sub expect {
    my ($fh, $pattern) = @_;

    my ($got, $end) = ('', time() + 120);

    until ($got =~ /$pattern/s) {
        vec(my $in = '', fileno($fh), 1) = 1;

        die "$pattern: timed out\n" if time() > $end;
        next if !select($in, undef, undef, 1);

        sysread($fh, $got, 65536, length $got) or die "$pattern: closed\n";
    }

    return $got;
}


sub eof_of {
    my $fh = shift;

    1 while sysread($fh, my $rest, 65536);
}


# until so many interim events of an api are there, in which a regex matches;
# returns all of that api

sub interim {
    my ($api, $n, $pattern) = @_;

    $pattern //= qr/"/;

    my $end = time() + 120;

    while (1) {
        my @found = grep { /"type":"gw\.usage\.interim\.v1".*"api":"$api"/ }
                    GwUsage::kafka_messages('%s\n');

        return @found if grep({ /$pattern/ } @found) >= $n;
        die "no $n interim events of $api\n" if time() > $end;

        sleep 0.05;
    }
}


1;
