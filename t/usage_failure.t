# Copyright (C) The nginx gateway modules authors

# Requests are answered whatever Kafka does; events come when it is back; a
# worker ends in time.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwUsage;

GwUsage::start_kafka();


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('user_files', ">>> t.txt\nhello\n");

    if (!defined $block->config) {
        $block->set_value('config', "gw_usage on;\n"
                          . "gw_usage_api \$arg_n;\n");
    }

    if (!defined $block->response_body) {
        my $requests = $block->request;

        $block->set_value('response_body',
                          ref $requests ? [ map { "hello\n" } @$requests ]
                                        : "hello\n");
    }

    if (!defined $block->error_log) {
        $block->set_value('no_error_log', '[alert]');
    }
});

master_on();
no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: Kafka is down when nginx starts, and comes later
--- kafka_init: down all
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2"]
--- kafka eval
["", "up all"]
--- events
api=1 units=1
api=2 units=1
--- log_lines
1* \[error\] .* gw kafka: .* failed



=== TEST 2: Kafka goes down, and comes back
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2", "GET /t.txt?n=3", "GET /t.txt?n=4"]
--- kafka eval
["down all", "", "up all", ""]
--- events
api=1
api=2
api=3
api=4



=== TEST 3: Kafka hangs, and goes on
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2", "GET /t.txt?n=3", "GET /t.txt?n=4"]
--- kafka eval
["stop", "", "cont", ""]
--- events
api=1
api=2
api=3
api=4



=== TEST 4: errors that pass are retried
the mock broker does not check sequences: more than one request in flight, and
the success of the second would count for the first, too
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  max.in.flight  1;
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2"]
--- kafka_init: error Produce NOT_LEADER_FOR_PARTITION REQUEST_TIMED_OUT
--- events
api=1
api=2



=== TEST 5: a fatal error: a new producer gets what the old one had
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  linger.ms      300;
    gw_usage_kafka_set  max.in.flight  1;
--- request eval
["GET /t.txt?n=fatal", "GET /t.txt?n=2", "GET /t.txt?n=3"]
--- kafka eval
["wait fatal\nerror Produce OUT_OF_ORDER_SEQUENCE_NUMBER", "", ""]
--- events
api=fatal
api=2
api=3
--- log_lines
1 \[error\] .* gw kafka: producer has to be replaced: Fatal error
1 \[notice\] .* gw kafka: new producer



=== TEST 6: the queue to Kafka is full: events wait in the journal
--- kafka_init: down all
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  queue.buffering.max.messages  2;
    gw_usage_kafka_set  linger.ms  1;
--- request eval
[map { "GET /t.txt?n=w$_" } 1 .. 12]
--- kafka eval
[("") x 11, "up all"]
--- events eval
CORE::join "\n", map { "api=w$_" } 1 .. 12
--- log_lines
0 dropped



=== TEST 7: many brokers that are gone: one line
--- http_config
    gw_usage_kafka      127.0.0.1:1,127.0.0.1:2,127.0.0.1:3,127.0.0.1:4;
    gw_usage_kafka_set  reconnect.backoff.ms      10;
    gw_usage_kafka_set  reconnect.backoff.max.ms  10;
--- request eval
[map { "GET /t.txt?n=$_" } 1 .. 50]
--- log_lines
1* gw kafka: .*, \d+ more
--- stop_nginx: TERM



=== TEST 8: TERM, Kafka down
--- http_config
    gw_usage_kafka      127.0.0.1:1;
--- request
GET /t.txt
--- stop_nginx: TERM



=== TEST 9: QUIT, Kafka down
--- http_config
    gw_usage_kafka      127.0.0.1:1;
--- request
GET /t.txt
--- stop_nginx: QUIT



=== TEST 10: TERM, Kafka hangs
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2"]
--- kafka eval
["stop", ""]
--- stop_nginx: TERM



=== TEST 11: QUIT, Kafka hangs
--- kafka_init: cont
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2"]
--- kafka eval
["stop", ""]
--- stop_nginx: QUIT



=== TEST 12: QUIT, Kafka well: all is delivered first
--- kafka_init: cont
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  linger.ms  20000;
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2"]
--- stop_nginx: QUIT delivered
--- events
api=1
api=2



=== TEST 13: TERM, Kafka well: all is delivered first
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  linger.ms  20000;
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2"]
--- stop_nginx: TERM delivered
--- events
api=1
api=2



=== TEST 14: a reload, Kafka well: old workers deliver first
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  linger.ms  20000;
--- request eval
["GET /t.txt?n=before", "GET /t.txt?n=after"]
--- kafka eval
["reload\nwait before", ""]
--- stop_nginx: QUIT delivered
--- events
id~-1$ api=after



=== TEST 15: a reload, Kafka hangs: old workers end, new ones deliver
--- request eval
["GET /t.txt?n=hung", "GET /t.txt?n=after"]
--- kafka eval
["stop\nreload", "cont\nlog takes over\nwait hung"]
--- events
id~-1$ api=after
--- log_lines
1 \[notice\] .* gw journal: generation \w{16} is left to other workers
1 \[notice\] .* gw journal: takes over \d+ segments of generation \w{16}



=== TEST 16: delivered messages leave the queue
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  queue.buffering.max.messages  3;
    gw_usage_kafka_set  linger.ms  1;
--- request eval
[map { "GET /t.txt?n=q$_" } 1 .. 10]
--- kafka eval
[map { "wait q$_" } 1 .. 10]
--- events eval
CORE::join "\n", map { "api=q$_" } 1 .. 10
--- log_lines
0 events dropped



=== TEST 17: a value that librdkafka quotes when it refuses it
--- http_config
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  security.protocol  sasl_plaintext;
    gw_usage_kafka_set  sasl.mechanisms    OAUTHBEARER;
    gw_usage_kafka_set  enable.sasl.oauthbearer.unsecure.jwt  true;
    gw_usage_kafka_set  sasl.oauthbearer.config  "nonsense=hunter2";
--- request
GET /t.txt?n=secret
--- kafka eval
["log sasl.oauthbearer.config"]
--- error_log eval
qr/\[error\] .* gw kafka: the value of sasl\.oauthbearer\.config is refused, 0 more/
--- no_error_log
hunter2
[alert]
