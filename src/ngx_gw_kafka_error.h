
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a failed delivery means, from the source of librdkafka 2.0 and 2.8.
 *
 * With an idempotent producer, retries without end and no message timeout,
 * librdkafka itself sends again after whatever passes: timeouts, lost
 * connections, moved leaders, too few replicas in sync.  What it reports is:
 *
 *  -  that it was told to forget the message, by a purge or a fatal error;
 *
 *  -  what is true of every message until somebody repairs it: no rights, no
 *     such topic or partition, an answer that it does not understand, a
 *     format, version or compression that the broker does not know;
 *
 *  -  what is true now, but not for ever: a checksum that does not match
 *     (broken on its way), a timestamp too far from the broker's clock (the
 *     next attempt takes a new one);
 *
 *  -  what is wrong with a message: MSG_SIZE_TOO_LARGE, RECORD_LIST_TOO_LARGE
 *     and INVALID_RECORD.
 *
 * Only for the last ngx_gw_kafka_error_in_message() returns 1, and still the
 * message may be sound: brokers refuse whole batches.  One that is longer
 * than the topic's max.message.bytes is full of messages that are not.  Only
 * a message that was alone in its batch is known to be refused.
 *
 * All others are sent again for as long as it takes, for giving up on them
 * would give up on every event until the repair.
 */

#ifndef _NGX_GW_KAFKA_ERROR_H_INCLUDED_
#define _NGX_GW_KAFKA_ERROR_H_INCLUDED_


#include "ngx_gw.h"


GW_HIDDEN_BEGIN

ngx_uint_t ngx_gw_kafka_error_in_message(int err);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_ERROR_H_INCLUDED_ */
