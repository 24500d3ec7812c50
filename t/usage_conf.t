# Copyright (C) The nginx gateway modules authors

# What the directives of the usage module refuse, and that the message says
# what would be right.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwJournal;


add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // '';

    $block->set_value('http_config',
                      $http . GwJournal::directive($block->journal))
        if $http =~ /gw_usage_kafka / && $http !~ /gw_usage_journal /
        && !defined $block->no_journal;

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
    gw_usage_kafka_set  message.timeout.ms 0;
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
invalid parameter "topics=gw.usage" in "gw_usage_kafka", "topic=NAME" and "cluster=NAME" expected, each once



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



=== TEST 30: properties that would lose or double events
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  acks  1;
--- must_die
--- error_log
"acks" in "gw_usage_kafka_set": must be "all"



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



=== TEST 33: gw_usage without gw_usage_journal
--- http_config
    gw_usage_kafka  127.0.0.1:9092;
--- no_journal
--- must_die
--- error_log eval
qr/"gw_usage on" in \S+nginx.conf:\d+ needs "gw_usage_journal" in the "http" block, for example "gw_usage_journal \/var\/lib\/nginx\/gw-usage size=1g;"/



=== TEST 34: gw_usage_journal twice
--- http_config
    gw_usage_journal  gw-usage tail=$TEST_NGINX_TAIL;
    gw_usage_journal  gw-usage-2;
--- must_die
--- error_log
"gw_usage_journal" directive is duplicate



=== TEST 35: gw_usage_journal outside of http
--- config
    gw_usage_journal  gw-usage tail=$TEST_NGINX_TAIL;
--- must_die
--- error_log
"gw_usage_journal" directive is not allowed here



=== TEST 36: gw_usage with another parameter
--- config
    gw_usage  on unless=$arg_a;
--- must_die
--- error_log
invalid parameter "unless=$arg_a" in "gw_usage", "if=$CONDITION" expected



=== TEST 37: an empty condition
--- config
    gw_usage  on if=;
--- must_die
--- error_log
invalid parameter "if=" in "gw_usage"



=== TEST 38: a condition of nothing
--- config
    gw_usage  off if=$arg_a;
--- must_die
--- error_log
"gw_usage" directive takes no parameters with "off"



=== TEST 39: a condition with an unknown variable
--- http_config
    gw_usage_kafka  127.0.0.1:9092;
--- config
    gw_usage  on if=$gw_nobody;
--- must_die
--- error_log
unknown "gw_nobody" variable



=== TEST 40: a cluster whose name can't be read
--- http_config
    gw_usage_kafka  127.0.0.1:9092 "cluster=a\tb";
--- must_die
--- error_log
in "gw_usage_kafka": the name of a cluster is printable ASCII



=== TEST 41: an empty cluster
--- http_config
    gw_usage_kafka  127.0.0.1:9092 cluster=;
--- must_die
--- error_log
invalid cluster "" in "gw_usage_kafka"



=== TEST 42: a cluster whose name is too long
--- http_config eval
"gw_usage_kafka 127.0.0.1:9092 cluster=" . 'c' x 65 . ";\n"
--- must_die
--- error_log
invalid cluster "ccc



=== TEST 43: a topic twice
--- http_config
    gw_usage_kafka  127.0.0.1:9092 topic=a topic=b;
--- must_die
--- error_log
invalid parameter "topic=b" in "gw_usage_kafka"



=== TEST 44: topic and cluster in any order
--- http_config
    gw_usage_kafka  127.0.0.1:9092 cluster=eu-1 topic=usage.v1;
--- response_body
hello



=== TEST 45: a field without a value
--- config
    gw_usage_field  region;
--- must_die
--- error_log
invalid number of arguments in "gw_usage_field" directive



=== TEST 46: names that a field can't have
--- config
    gw_usage_field  1st $arg_a;
--- must_die
--- error_log
invalid name "1st" in "gw_usage_field": at most 64 letters, digits and "_", the first no digit, and no member that all events have



=== TEST 47: the name of a member that all events have
--- config
    gw_usage_field  units $arg_a;
--- must_die
--- error_log
invalid name "units" in "gw_usage_field"



=== TEST 48: a name that is too long
--- config eval
'gw_usage_field ' . 'n' x 65 . ' $arg_a;'
--- must_die
--- error_log
in "gw_usage_field": at most 64 letters



=== TEST 49: a name twice at one level
--- config
    gw_usage_field  region $arg_a;
    gw_usage_field  region $arg_b;
--- must_die
--- error_log
duplicate name "region" in "gw_usage_field"



=== TEST 50: a name at two levels
--- config
    gw_usage_field  region $arg_a;
    location = /t.txt {
        gw_usage_field  region $arg_b;
    }
--- response_body
hello



=== TEST 51: 32 fields
--- config eval
CORE::join '', map { "gw_usage_field f$_ $_;\n" } 1 .. 32
--- response_body
hello



=== TEST 52: 33 fields
--- config eval
CORE::join '', map { "gw_usage_field f$_ $_;\n" } 1 .. 33
--- must_die
--- error_log
more than 32 "gw_usage_field" directives at one level



=== TEST 53: a value that does not fit into an event
--- config eval
'gw_usage_field region ' . 'v' x 1025 . ';'
--- must_die
--- error_log
the value of "gw_usage_field" "region" is longer than 1024 bytes



=== TEST 54: a key that does not fit into a record
--- config eval
'gw_usage_key ' . 'k' x 513 . ';'
--- must_die
--- error_log
the value of "gw_usage_key" is longer than 512 bytes



=== TEST 55: gw_usage_key twice
--- config
    gw_usage_key  a;
    gw_usage_key  b;
--- must_die
--- error_log
"gw_usage_key" directive is duplicate



=== TEST 56: intervals that are too short, or none
--- config
    gw_usage_interval  999ms;
--- must_die
--- error_log
"gw_usage_interval" directive must be "off", or a time of at least 1s



=== TEST 57: an interval that is no time
--- config
    gw_usage_interval  often;
--- must_die
--- error_log
"gw_usage_interval" directive must be "off", or a time of at least 1s



=== TEST 58: gw_usage_interval twice
--- config
    gw_usage_interval  off;
    gw_usage_interval  1s;
--- must_die
--- error_log
"gw_usage_interval" directive is duplicate



=== TEST 59: the shortest interval, a day, and off
--- config
    gw_usage_interval  1s;
    location = /a { gw_usage_interval  1d; }
    location = /b { gw_usage_interval  off; }
--- response_body
hello



=== TEST 60: gw_metrics twice
--- config
    location = /metrics {
        gw_metrics;
        gw_metrics;
    }
--- must_die
--- error_log
"gw_metrics" directive is duplicate



=== TEST 61: a message timeout
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  message.timeout.ms  60000;
--- must_die
--- error_log
"message.timeout.ms" in "gw_usage_kafka_set": must be 0: messages wait in the journal for as long as it takes



=== TEST 62: properties that do not fit together: nginx -t tells
--- http_config
    gw_usage_kafka      127.0.0.1:9092;
    gw_usage_kafka_set  sasl.mechanisms    PLAIN;
    gw_usage_kafka_set  security.protocol  sasl_plaintext;
--- response_body
hello
--- error_log
gw kafka: no producer:
--- nginx_t chomp
"gw_usage_kafka" and the "gw_usage_kafka_set" directives make no producer: sasl.username and sasl.password must be set



=== TEST 63: a size that is too small for the workers
--- http_config
    gw_usage_kafka  127.0.0.1:9092;
--- journal chomp
size=1m segment=1m
--- must_die
--- error_log eval
qr/"size" of "\S+" is 1048576, but 1 worker processes need 2097152, two segments of 1048576 each; give it more, or a smaller "segment"/



=== TEST 64: no directory can be there: nginx does not start
--- http_config
    gw_usage_kafka    127.0.0.1:9092;
    gw_usage_journal  /proc/gw-usage;
--- must_die
--- error_log
mkdir() "/proc/gw-usage" failed



=== TEST 65: gw_usage_journal with size=1000k
--- http_config
    gw_usage_journal  gw-usage size=1000k;
--- must_die
--- error_log
"gw_usage_journal" directive takes "size=" of at least 1m



=== TEST 66: gw_usage_journal with sync=0
--- http_config
    gw_usage_journal  gw-usage sync=0;
--- must_die
--- error_log
"gw_usage_journal" directive takes "sync=" between 1ms and 60s



=== TEST 67: gw_usage_journal with full=wait
--- http_config
    gw_usage_journal  gw-usage full=wait;
--- must_die
--- error_log
"gw_usage_journal" directive takes "full=drop" or "full=reject"



=== TEST 68: gw_usage_journal with keep=2y
--- http_config
    gw_usage_journal  gw-usage keep=2y;
--- must_die
--- error_log
"gw_usage_journal" directive takes "keep=" of at most 366d



=== TEST 69: gw_usage_journal with node=
--- http_config
    gw_usage_journal  gw-usage node=;
--- must_die
--- error_log
"gw_usage_journal" directive takes "node=" with at most 255 printable ASCII characters, without spaces



=== TEST 70: gw_usage_journal with tail=shm
--- http_config
    gw_usage_journal  gw-usage tail=shm;
--- must_die
--- error_log
"gw_usage_journal" directive takes "tail=" with an absolute path



=== TEST 71: gw_usage_journal with segment=60k
--- http_config
    gw_usage_journal  gw-usage segment=60k;
--- must_die
--- error_log
"gw_usage_journal" directive takes "segment=" between 64k and 64m



=== TEST 72: gw_usage_journal with file=a
--- http_config
    gw_usage_journal  gw-usage file=a;
--- must_die
--- error_log
invalid parameter "file=a" of "gw_usage_journal"



=== TEST 73: gw_usage_journal with size=2m size=3m
--- http_config
    gw_usage_journal  gw-usage size=2m size=3m;
--- must_die
--- error_log
duplicate parameter "size=3m" of "gw_usage_journal"



=== TEST 74: a file where the directory is to be stays what it is
--- http_config
    gw_usage_journal  conf/nginx.conf;
--- must_die
--- error_log
"gw_usage_journal" directive needs a directory, not a file
