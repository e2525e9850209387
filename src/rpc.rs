//! The wire. Generated types and `tonic::Status` stop here.
