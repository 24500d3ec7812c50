# Copyright (C) The nginx gateway modules authors

# The metrics of the usage module: what is on the page, and that Prometheus
# can read it.
#
#     --- metrics
#     pending 0
#     acknowledged_total [5-9]
#
# asks for the page until each line is there, as gw_usage_NAME and a regex of
# the value; "-" is none.  Between them: "hold PATH" sends half a request, "get
# PATH" a whole one, "kill SIGNAL" is for the workers, "kafka COMMAND" for the
# broker.

use strict;
use warnings;

use IO::Socket::INET;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);
use GwMetrics;
use GwUsage;


our @held;

our $metrics = <<'END_OF_CONFIG';
    location = /metrics {
        gw_usage  off;
        gw_metrics;
    }
END_OF_CONFIG


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('user_files', ">>> t.txt\nhello\n");

    if (defined $block->config) {
        $block->set_value('config', $block->config . $metrics);
    }
});

add_test_cleanup_handler(sub {
    my $block = shift;

    return if !defined $block->metrics;

    for (split /\n/, $block->metrics) {
        /\A(\w+) (.*)\z/ or die "bad \"$_\"\n";

        my ($what, $value) = ($1, $2);
        my $do = main->can("do_$what");

        $do ? $do->($value) : wait_for($block, $what, $value);
    }

    @held = ();
});


# a request that is at work until the test ends

sub do_hold {
    my $sock = connected();

    print $sock "POST $_[0] HTTP/1.1\r\nHost: localhost\r\n"
                . "Content-Length: 10\r\n\r\nhalf";
    push @held, $sock;
}


sub do_kafka {
    GwUsage::kafka_commands($_[0]);
}


sub do_kill {
    my $pid = GwUsage::slurp(Test::Nginx::Util::server_root()
                             . '/logs/nginx.pid') + 0;

    kill($_[0], split ' ', GwUsage::slurp("/proc/$pid/task/$pid/children"));
}


sub do_get {
    my $sock = connected();

    print $sock "GET $_[0] HTTP/1.0\r\nHost: localhost\r\n\r\n";
    return join '', <$sock>;
}


sub connected {
    return IO::Socket::INET->new(
        PeerAddr => Test::Nginx::Util::server_addr(),
        PeerPort => Test::Nginx::Util::server_port(),
        Timeout => 5) || die "connect: $!\n";
}


sub wait_for {
    my ($block, $name, $value) = @_;

    my $end = time() + 120;
    my ($wrong, $found);

    while (1) {
        my $page = eval { do_get('/metrics') } // '';

        if ($page =~ s/\AHTTP.*?\r\n\r\n//s) {
            $wrong = wrong_page($page);
            ($found) = $page =~ /^gw_usage_$name (\S+)$/m;

            last if $wrong || ($found // '-') =~ /\A(?:$value)\z/;
        }

        last if time() > $end;
        sleep 0.05;
    }

    is($wrong, '', $block->name . " - a page, for $name");
    like($found // '-', qr/\A(?:$value)\z/, $block->name . " - $name");
}


GwUsage::start_kafka();

master_on();
workers(1);
no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: events and marks, from the journal to Kafka
--- config
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  orders;
    }
--- request eval
[("GET /t.txt") x 3]
--- response_body eval
[("hello\n") x 3]
--- metrics
appended_total [4-9]
appended_bytes_total \d{4}
acknowledged_total [4-9]
pending 0
in_flight 0
oldest_seconds 0
sync_lag_seconds 0
syncs_total [1-9]\d*
requests 0
workers 1
journal_bytes [1-9]\d+
journal_full 0
journals_foreign 0
dropped_total 0
rejected_total 0
dead_total 0
adopted_total 0
replayed_total 0
unfinished_total 0
unlisted_total 0
corrupt_total 0
file_failures_total 0
producers_replaced_total 0
bogus -



=== TEST 2: Kafka is away, and comes back
--- config
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  orders;
    }
--- kafka_init
down all
--- request eval
[("GET /t.txt") x 3]
--- response_body eval
[("hello\n") x 3]
--- metrics
pending [4-9]
oldest_seconds [1-9]\d*(\.\d+)?
acknowledged_total 0
kafka up all
acknowledged_total [4-9]
pending 0
oldest_seconds 0
--- no_error_log
[alert]



=== TEST 3: a worker is killed while a request is at work
--- config
    location = /held {
        gw_usage      on;
        gw_usage_api  held;
        proxy_pass    http://127.0.0.1:1;
    }
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  orders;
    }
--- request
GET /t.txt
--- response_body
hello
--- metrics
acknowledged_total [2-9]
hold /held
requests 1
kill KILL
adopted_total 1
unfinished_total 1
acknowledged_total [4-9]
requests 0
workers 1
get /t.txt
pending 0
--- no_error_log
[emerg]



=== TEST 4: counters outlive a reload
--- config
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  reload;
    }
--- request eval
[("GET /t.txt") x 2]
--- response_body eval
[("hello\n") x 2]
--- metrics
acknowledged_total [3-9]
kafka reload
workers 1
acknowledged_total [4-9]
pending 0



=== TEST 5: no producer: nothing is in flight, and yet gets older
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA;
    gw_usage_kafka_set  sasl.mechanisms    PLAIN;
    gw_usage_kafka_set  security.protocol  sasl_plaintext;
--- config
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  kept;
    }
--- request
GET /t.txt
--- response_body
hello
--- metrics
pending [2-9]
oldest_seconds [1-9]\d*(\.\d+)?
in_flight 0
acknowledged_total 0
--- error_log
gw kafka: no producer:
