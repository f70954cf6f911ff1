/* echo: answers its arguments. On request it loops for ever, or tells its progress
 * once, which lets the host hold it. */
#include "ingot.h"

INGOT_DESCRIBE(
    "{\"name\":\"echo\",\"description\":\"Answers its arguments.\",\"inputSchema\":{\"type\":\"object\"}}")

static volatile uint32_t sink;

static int ingot_tool(struct ingot_json args, struct ingot_out *out)
{
    if (args.end - args.at > 7 && args.at[2] == 's' && args.at[3] == 'p') /* {"spin" */
        for (;;)
            sink++;
    if (args.end - args.at > 7 && args.at[2] == 'h' && args.at[3] == 'o') /* {"hold" */
        ingot_host_progress(0, 1, "", 0);
    ingot_put_bytes(out, args.at, (uint32_t)(args.end - args.at));
    return 0;
}
