# Copyright (C) The nginx gateway modules authors

# Properties of librdkafka that would break what is promised can't be set, by
# whichever of its names; those that say the same can.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';


# each line a property and a value, with what the message says of it

add_block_preprocessor(sub {
    my $block = shift;

    my ($name, $value, $why) = split ' ', $block->property =~ s/\n//r, 3;

    $block->set_value('http_config',
                      "gw_usage_kafka_set \"$name\" \"$value\";\n");
    $block->set_value('config', "location = /t.txt { }\n");
    $block->set_value('user_files', ">>> t.txt\nhello\n");

    if (defined $why) {
        $block->set_value('must_die', '');
        $block->set_value('error_log', "property \"$name\" in "
                                       . "\"gw_usage_kafka_set\": $why");

    } else {
        $block->set_value('request', "GET /t.txt\n");
        $block->set_value('response_body', "hello\n");
        $block->set_value('no_error_log', "[error]\n[warn]");
    }
});

run_tests();

__DATA__

=== TEST 1: no idempotence
--- property
enable.idempotence false must be "true": else Kafka may store messages twice



=== TEST 2: idempotence
--- property
enable.idempotence TRUE



=== TEST 3: no acknowledgement
--- property
acks 0 must be "all": else acknowledged messages may be lost



=== TEST 4: one acknowledgement, by the older name
--- property
request.required.acks 1 must be "all"



=== TEST 5: acknowledgements of all
--- property
acks all



=== TEST 6: the same, by number and the older name
--- property
request.required.acks -1



=== TEST 7: a limit of time
--- property
message.timeout.ms 300000 must be 0: messages wait in the journal



=== TEST 8: a limit of time, by the newer name
--- property
delivery.timeout.ms 300000 must be 0



=== TEST 9: no limit of time
--- property
delivery.timeout.ms 0



=== TEST 10: a limit of attempts
--- property
retries 5 can't be limited



=== TEST 11: a limit of attempts, by the older name
--- property
message.send.max.retries 5 can't be limited



=== TEST 12: no limit of attempts
--- property
retries 2147483647



=== TEST 13: gapless
--- property
enable.gapless.guarantee true is not supported



=== TEST 14: messages too small for an event
--- property
message.max.bytes 16383 must be 16384 at least



=== TEST 15: messages of the size of the largest event
--- property
message.max.bytes 16384



=== TEST 16: transactions
--- property
transactional.id gateway is not supported



=== TEST 17: a queue too small for an event
--- property
queue.buffering.max.kbytes 15 must be 16 at least



=== TEST 18: a queue for the largest event
--- property
queue.buffering.max.kbytes 16



=== TEST 19: a value out of range, the message is one line
--- property
linger.ms -1 Configuration property "queue.buffering.max.ms" value -1 is outside allowed range 0..900000 in
