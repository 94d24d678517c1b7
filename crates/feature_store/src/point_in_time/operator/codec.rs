//! The operator and its leaves as bytes, so that an engine that ships DataFusion plans can run them on another machine.
//!
//! Each node is a line of JSON, which names it and holds what it was made of; a spine's rows follow as an Arrow IPC stream. Children are
//! encoded by DataFusion. A run's file goes by its path: the other machine has to see it under the same one.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::{Deserialize, Serialize};

use super::{GroupJoin, PointInTimeJoinExec, RunExec, SpineExec};

/// Encodes and decodes the nodes of this module.
#[derive(Debug, Clone, Copy, Default)]
pub struct PointInTimeCodec;

#[derive(Serialize, Deserialize)]
#[serde(tag = "node", rename_all = "snake_case")]
enum Node {
    PointInTimeJoin { event_time: String, joins: Vec<GroupJoin> },
    Run { path: PathBuf },
    Spine,
}

fn json(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl PhysicalExtensionCodec for PointInTimeCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let end = buf.iter().position(|byte| *byte == b'\n').unwrap_or(buf.len());
        let (line, rest) = buf.split_at(end);
        match (serde_json::from_slice(line).map_err(json)?, inputs) {
            (Node::PointInTimeJoin { event_time, joins }, inputs) => Ok(Arc::new(PointInTimeJoinExec::try_new(
                event_time,
                joins,
                inputs.to_vec(),
            )?)),
            (Node::Run { path }, [input]) => Ok(Arc::new(RunExec::new(path, Arc::clone(input)))),
            (Node::Run { .. }, _) => internal_err!("a run has one input, found {}", inputs.len()),
            (Node::Spine, _) => {
                let reader = StreamReader::try_new(rest.get(1..).unwrap_or_default(), None)?;
                let schema = reader.schema();
                let batches = reader.collect::<std::result::Result<Vec<_>, _>>()?;
                Ok(Arc::new(SpineExec::new(concat_batches(&schema, &batches)?)))
            }
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let head = |buf: &mut Vec<u8>, node: &Node| -> Result<()> {
            serde_json::to_writer(&mut *buf, node).map_err(json)?;
            buf.push(b'\n');
            Ok(())
        };
        if let Some(join) = node.downcast_ref::<PointInTimeJoinExec>() {
            let (event_time, joins) = (join.event_time().to_owned(), join.joins().to_vec());
            return head(buf, &Node::PointInTimeJoin { event_time, joins });
        }
        if let Some(run) = node.downcast_ref::<RunExec>() {
            return head(
                buf,
                &Node::Run {
                    path: run.path().to_owned(),
                },
            );
        }
        let Some(spine) = node.downcast_ref::<SpineExec>() else {
            return internal_err!("`{}` is no node of a point-in-time join", node.name());
        };
        head(buf, &Node::Spine)?;
        let mut writer = StreamWriter::try_new(buf, &spine.schema())?;
        for batch in spine.batches() {
            writer.write(&batch?)?;
        }
        Ok(writer.finish()?)
    }
}
