# Copyright (C) The nginx gateway modules authors

# What the directives of the usage module refuse, and that the message says
# what would be right.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';


add_block_preprocessor(sub {
    my $block = shift;

    if (!defined $block->request) {
        $block->set_value('request', "GET /t.txt\n");
    }

    if (!defined $block->config) {
        $block->set_value('config', "gw_usage on;\n");
    }

    if (!defined $block->must_die) {
        $block->set_value('user_files', ">>> t.txt\nhello\n");
        $block->set_value('no_error_log', "[alert]\n[emerg]");
    }
});

# what "nginx -t" says of the configuration of a block

add_test_cleanup_handler(sub {
    my $block = shift;

    return if !defined $block->nginx_t;

    my $root = server_root();
    my $nginx = $Test::Nginx::Util::NginxBinary;
    my $said = `$nginx -t -p $root/ -c $root/conf/nginx.conf 2>&1`;

    like($said, qr/\[emerg\].*\Q@{[$block->nginx_t]}\E/,
         $block->name . ' - nginx -t');
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: gw_usage without gw_usage_kafka
--- config
    location / {
        gw_usage  on;
    }
--- must_die
--- error_log eval
qr/"gw_usage on" in \S+nginx.conf:\d+ needs "gw_usage_kafka" in the "http" block, for example "gw_usage_kafka 127.0.0.1:9092 topic=gw.usage;"/



=== TEST 2: without gw_usage on nothing is needed
--- config
    gw_usage         off;
    gw_usage_api     orders;
    gw_usage_units   2;
--- response_body
hello



=== TEST 3: gw_usage_kafka may come after gw_usage
--- http_config
    gw_usage         on;
    gw_usage_kafka   $TEST_NGINX_KAFKA;
--- config
--- response_body
hello



=== TEST 4: brokers and properties as in production
--- http_config
    gw_usage_kafka      [::1]:9092,127.0.0.1,kafka-1.example.com:65535;
    gw_usage_kafka_set  security.protocol  sasl_ssl;
    gw_usage_kafka_set  sasl.mechanisms    SCRAM-SHA-256;
    gw_usage_kafka_set  sasl.username      gw;
    gw_usage_kafka_set  sasl.password      secret;
    gw_usage_kafka_set  linger.ms          5;
    gw_usage_kafka_set  message.timeout.ms 60000;
--- response_body
hello



=== TEST 5: gw_usage neither on nor off
--- config
    gw_usage  yes;
--- must_die
--- error_log
invalid value "yes" in "gw_usage" directive, it must be "on" or "off"



=== TEST 6: gw_usage_kafka twice
--- http_config
    gw_usage_kafka  127.0.0.1:9092;
    gw_usage_kafka  127.0.0.1:9093;
--- must_die
--- error_log
"gw_usage_kafka" directive is duplicate



=== TEST 7: gw_usage_kafka outside of http
--- config
    gw_usage_kafka  127.0.0.1:9092;
--- must_die
--- error_log
"gw_usage_kafka" directive is not allowed here



=== TEST 8: a broker without a host
--- http_config
    gw_usage_kafka  :9092;
--- must_die
--- error_log
invalid brokers ":9092" in "gw_usage_kafka": HOST:PORT,... expected



=== TEST 9: a port out of range
--- http_config
    gw_usage_kafka  127.0.0.1:9092,127.0.0.1:65536;
--- must_die
--- error_log
invalid brokers "127.0.0.1:9092,127.0.0.1:65536" in "gw_usage_kafka": HOST:PORT



=== TEST 10: an empty element in the list of brokers
--- http_config
    gw_usage_kafka  127.0.0.1:9092,;
--- must_die
--- error_log
invalid brokers "127.0.0.1:9092," in "gw_usage_kafka": HOST:PORT,... expected



=== TEST 11: a blank in the list of brokers
--- http_config
    gw_usage_kafka  "127.0.0.1:9092, 127.0.0.1:9093";
--- must_die
--- error_log
in "gw_usage_kafka": HOST:PORT,... expected



=== TEST 12: brokers as URLs
--- http_config
    gw_usage_kafka  SASL_SSL://127.0.0.1:9092;
--- must_die
--- error_log
invalid brokers "SASL_SSL://127.0.0.1:9092" in "gw_usage_kafka": a broker is HOST:PORT, the protocol is the property security.protocol



=== TEST 13: an unknown parameter
--- http_config
    gw_usage_kafka  127.0.0.1:9092 topics=gw.usage;
--- must_die
--- error_log
invalid parameter "topics=gw.usage" in "gw_usage_kafka", "topic=NAME" expected



=== TEST 14: a topic with a slash
--- http_config
    gw_usage_kafka  127.0.0.1:9092 topic=gw/usage;
--- must_die
--- error_log
invalid topic "gw/usage" in "gw_usage_kafka": a topic consists of letters



=== TEST 15: an empty topic
--- http_config
    gw_usage_kafka  127.0.0.1:9092 topic=;
--- must_die
--- error_log
invalid topic "" in "gw_usage_kafka": a topic has 1 to 249 characters



=== TEST 16: a topic that is a folder
--- http_config
    gw_usage_kafka  127.0.0.1:9092 topic=..;
--- must_die
--- error_log
invalid topic ".." in "gw_usage_kafka": this can't be a topic



=== TEST 17: an unknown property
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  linger.s  1;
--- must_die
--- error_log
invalid Kafka property "linger.s" in "gw_usage_kafka_set": there is no such property



=== TEST 18: a value that the property can't have
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  linger.ms  soon;
--- must_die
--- error_log
invalid Kafka property "linger.ms" in "gw_usage_kafka_set": Invalid value



=== TEST 19: a property that has its own directive
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  bootstrap.servers  127.0.0.1:9093;
--- must_die
--- error_log
"bootstrap.servers" in "gw_usage_kafka_set": is the list of brokers, not a property



=== TEST 20: a property that the module relies on
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  delivery.report.only.error  true;
--- must_die
--- error_log
"delivery.report.only.error" in "gw_usage_kafka_set": can't be changed



=== TEST 21: a secret is never quoted, not even a bad one
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  sasl.oauthbearer.method  hunter2;
--- must_die
--- error_log
"sasl.oauthbearer.method" in "gw_usage_kafka_set": the value is invalid
--- no_error_log
hunter2



=== TEST 22: units that are no number
--- config
    gw_usage_units  many;
--- must_die
--- error_log
"gw_usage_units" directive must be an integer from 0 to 9007199254740991



=== TEST 23: negative units
--- config
    gw_usage_units  -1;
--- must_die
--- error_log
"gw_usage_units" directive must be an integer from 0 to 9007199254740991



=== TEST 24: more units than JSON can count
--- config
    gw_usage_units  9007199254740992;
--- must_die
--- error_log
"gw_usage_units" directive must be an integer from 0 to 9007199254740991



=== TEST 25: an api that does not fit into an event
--- config eval
"gw_usage_api " . 'a' x 129 . ";"
--- must_die
--- error_log
the value of "gw_usage_api" is longer than 128 bytes



=== TEST 26: a subject that does not fit into an event
--- config eval
"gw_usage_subject " . 'a' x 513 . ";"
--- must_die
--- error_log
the value of "gw_usage_subject" is longer than 512 bytes



=== TEST 27: a tier that does not fit into an event
--- config eval
"gw_usage_tier " . 'a' x 129 . ";"
--- must_die
--- error_log
the value of "gw_usage_tier" is longer than 128 bytes



=== TEST 28: gw_usage_api twice
--- config
    gw_usage_api  a;
    gw_usage_api  b;
--- must_die
--- error_log
"gw_usage_api" directive is duplicate



=== TEST 29: an unknown variable
--- config
    gw_usage_subject  $gw_nobody;
--- must_die
--- error_log
unknown "gw_nobody" variable



=== TEST 30: properties that do not fit together: nginx -t tells
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  acks  1;
--- response_body
hello
--- nginx_t chomp
"gw_usage_kafka" and the "gw_usage_kafka_set" directives make no producer: `acks` must be set to `all`



=== TEST 31: a CA file that is missing: nginx -t tells
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  security.protocol  ssl;
    gw_usage_kafka_set  ssl.ca.location    /nonexistent/ca.pem;
--- response_body
hello
--- nginx_t chomp
directives make no producer: ssl.ca.location failed



=== TEST 32: a password without a user name: nginx -t tells
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  security.protocol  sasl_plaintext;
    gw_usage_kafka_set  sasl.mechanisms    PLAIN;
    gw_usage_kafka_set  sasl.password      hunter2;
--- response_body
hello
--- nginx_t chomp
directives make no producer: sasl.username and sasl.password must be set
--- no_error_log
hunter2



=== TEST 33: without a producer requests are answered, and the log says why
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  acks  1;
--- response_body
hello
--- error_log
gw kafka: no producer: `acks` must be set to `all`
gw usage: events dropped: 1, in all 1
