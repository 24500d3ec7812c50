# Copyright (C) The nginx gateway modules authors

# gw-journal on the journal of an nginx that is at work, and on a copy of it.

use strict;
use warnings;

use File::Copy qw(copy);
use IO::Socket::INET;
use JSON::PP;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);
use GwUsage;


my $held;
my $tool = "$ENV{TEST_NGINX_BIN}/gw-journal";
my $dir = "$ENV{TEST_NGINX_RUN}/live";
my $broker = $ENV{TEST_NGINX_KAFKA};


# one that has no answer, so that nothing leaves the journal

sub start {
    GwUsage::start_kafka();
    GwUsage::kafka_commands('down all');
}


sub tool {
    my ($command, @args) = @_;

    open(my $out, '-|', $tool, $command, @args) or die "$tool: $!\n";

    my $said = do { local $/; <$out> } // '';

    close($out);

    return ($said, $? >> 8);
}


# until it is true; what it was at last

sub becomes {
    my ($what, $check) = @_;

    my $end = time() + 120;
    my @is;

    sleep 0.05 until (@is = $check->())[0] || time() > $end;

    ok($is[0], $what) or diag(map { $_ // '-' } @is[1 .. $#is]);
}


sub numbers {
    my ($said, $status) = tool('stat', '--json', @_);

    return decode_json($said)->{total};
}


sub copy_files {
    my ($from, $to) = @_;

    mkdir($to);

    for my $file (glob("$from/*")) {
        copy($file, $to . ($file =~ m{(/[^/]+)\z})[0]) || $!{ENOENT}
            or die "$file: $!\n";
    }
}


add_test_cleanup_handler(sub {
    my $block = shift;

    my @live = ($dir, '--tail', $ENV{TEST_NGINX_TAIL});

    # the two requests, the one that is at work, and marks: the first, and one
    # more in ten seconds

    $held = IO::Socket::INET->new(
        PeerAddr => Test::Nginx::Util::server_addr(),
        PeerPort => Test::Nginx::Util::server_port()) or die "connect: $!\n";

    print $held "POST /held HTTP/1.1\r\nHost: localhost\r\n"
                . "Content-Length: 10\r\n\r\nhalf";

    becomes('stat - what is there and at work', sub {
        my $is = numbers(@live);

        return "$is->{events} $is->{requests}" eq '2 1'
               && $is->{pending} > $is->{events}, encode_json($is);
    });

    my ($said, $status) = tool('verify', @live);

    is($status, 0, 'verify - status');
    like($said,
         qr/: alive, \d+ records\n\w+: sequences 1 to 3, 0 missing\n/,
         'verify - the request at work is not missing');

    my $mark = qr/\{.*"gw.usage.mark.v1".*\n/;

    like((tool('cat', @live))[0],
         qr/\A$mark\{.*"a1".*\n$mark*\{.*"a2".*\n$mark*\z/, 'cat');

    is((tool('replay', @live, '--orphans', '--kept', '--dry-run'))[0],
       "0 records of 0 files, 0 damaged places; nothing was sent\n",
       'replay - nothing of what is alive');

    # a copy without the tails: as it is after a power cut

    my $copy = "$ENV{TEST_NGINX_RUN}/copy";

    my $n;

    becomes('a copy has what is synced', sub {
        copy_files($dir, $copy);

        my $is = numbers($copy);

        $n = $is->{pending};

        return $is->{events} == 2 && $n > 2;
    });

    ($said, $status) = tool('verify', $copy);

    is($status, 0, 'verify of a copy - status');
    like($said, qr/: orphan, $n records\n/, 'verify of a copy');

    ($said, $status) = tool('replay', $copy, '--orphans', '-b', $broker, '-X',
                            'linger.ms=5');

    is($status, 0, 'replay of a copy - status');
    like($said, qr/^$n records of 1 files, $n acknowledged/m,
         'replay of a copy');

    my ($generation) = $said =~ /\A(\w+)-/;

    open(my $kcat, '-|', 'kcat', '-C', '-q', '-e', '-b', $broker, '-t',
         'gw.usage', '-o', 'beginning', '-f', '%k %h %s\n')
        or die "kcat: $!\n";

    my @found = grep { /\A$generation / } <$kcat>;

    is(scalar @found, $n, 'the messages are in Kafka');
    is(scalar(grep { m{ content-type=application/cloudevents\+json; } }
              @found),
       $n, 'and like those of the gateway');

    undef $held;
});


start();

master_on();
workers(1);
no_long_string();
run_tests();

__DATA__

=== TEST 1: at work
--- http_config
    gw_usage_journal  $TEST_NGINX_RUN/live tail=$TEST_NGINX_TAIL size=64m sync=50ms;
--- config
    location = /held {
        gw_usage      on;
        gw_usage_api  held;
        proxy_pass    http://127.0.0.1:1;
    }
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  $arg_a;
    }
--- user_files
>>> t.txt
hello
--- request eval
["GET /t.txt?a=a1", "GET /t.txt?a=a2"]
--- response_body eval
["hello\n", "hello\n"]
--- no_error_log
[alert]
