// Begins the sender of what this tablet keeps, on a page that does not write in a report itself.
import { Queue } from "./queue.js";
import { QueueSender } from "./queue_sender.js";

new QueueSender(await Queue.open(), document.body.dataset.member, undefined).work();
